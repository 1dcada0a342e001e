package link

import (
	"strings"
	"testing"
)

func TestCheckLoopback(t *testing.T) {
	const elsewhere = "is not a loopback address"
	tests := []struct{ addr, want string }{
		{"127.0.0.1:5223", ""},
		{"127.8.8.8:0", ""},
		{"[::1]:65535", ""},
		{"[::ffff:127.0.0.1]:1", ""},
		{":5223", elsewhere},
		{"0.0.0.0:5223", elsewhere},
		{"[::]:5223", elsewhere},
		{"192.0.2.1:5223", elsewhere},
		{"[::ffff:192.0.2.1]:1", elsewhere},
		{"localhost:5223", elsewhere},
		{"127.0.0.1", "is not an address"},
		{"127.0.0.1:", "has no port"},
		{"127.0.0.1:65536", "has no port"},
		{"127.0.0.1:xmpp", "has no port"},
	}
	for _, tt := range tests {
		t.Run(tt.addr, func(t *testing.T) {
			err := CheckLoopback(tt.addr)
			if got := err == nil; got != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("CheckLoopback(%q) = %v, want %q", tt.addr, err, tt.want)
			}
		})
	}
}
