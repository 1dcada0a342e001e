package sasl

import (
	"testing"

	"signalbox/internal/link"
)

// Logins in plain text are allowed where the listener says so, without what binds to TLS; attack row 13 is everywhere else.
func TestLoginsWithoutTLS(t *testing.T) {
	tests := []struct {
		name, mechanism string
		conn            link.TLS
		want            Condition
	}{
		{"PLAIN in the laboratory", Plain, link.TLS{Laboratory: true}, ""},
		{"SCRAM in the laboratory", ScramSHA256, link.TLS{Laboratory: true}, ""},
		{"-PLUS in the laboratory", ScramSHA256Plus, link.TLS{Laboratory: true}, InvalidMechanism},
		{"PLAIN elsewhere", Plain, link.TLS{}, EncryptionRequired},
		{"SCRAM elsewhere", ScramSHA256, link.TLS{}, EncryptionRequired},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := newTestServer(t)
			_, err := s.Start(tt.mechanism, Input{Domain: testDomain, TLS: tt.conn})
			if got := condition(t, err); got != tt.want {
				t.Errorf("Start() = %q, want %q", got, tt.want)
			}
		})
	}
}
