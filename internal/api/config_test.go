package api

import (
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  Config
		want []string // beginnings of the mistakes
	}{
		{"default", Default(), nil},
		{"all", Config{AllowFrom: []string{"10.0.0.0/8", "::1", "192.0.2.1"}, TLS: TLS{"a", "b"}, InsecureHTTP: true}, nil},
		{"bad sources", Config{AllowFrom: []string{"10.0.0.0/8", "host", "10.0.0.0/33", ""}}, []string{"allow_from[1]: ", "allow_from[2]: ", "allow_from[3]: "}},
		{"half TLS", Config{TLS: TLS{CertFile: "a"}, AllowFrom: []string{"x"}}, []string{"allow_from[0]: ", "tls: "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.cfg.Validate()
			if tt.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil {
				t.Fatal("no error")
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(tt.want) {
				t.Fatalf("mistakes %q, want %q", lines, tt.want)
			}
			for i, line := range lines {
				if !strings.HasPrefix(line, tt.want[i]) {
					t.Errorf("mistake %q, want one that begins with %q", line, tt.want[i])
				}
			}
		})
	}
}

func TestCheckPlain(t *testing.T) {
	for _, tt := range []struct {
		addrs    string
		loopback bool
	}{
		{"127.0.0.1:8080", true}, {"127.8.8.8:1", true}, {"[::1]:8080", true}, {"localhost:8080", true}, {"[::ffff:127.0.0.1]:1", true}, {"", true},
		{":8080", false}, {"0.0.0.0:8080", false}, {"[::]:8080", false}, {"192.0.2.1:8080", false}, {"host.test:8080", false},
		{"127.0.0.1", false}, {"127.0.0.1:1 10.0.0.1:1", false}, {"localhost.test:80", false},
	} {
		addrs := strings.Fields(tt.addrs)
		if err := Default().CheckPlain(addrs); (err == nil) != tt.loopback {
			t.Errorf("CheckPlain(%q) = %v", addrs, err)
		}
		for _, cfg := range []Config{{InsecureHTTP: true}, {TLS: TLS{"a", "b"}}} {
			if err := cfg.CheckPlain(addrs); err != nil {
				t.Errorf("%+v: CheckPlain(%q) = %v", cfg, addrs, err)
			}
		}
	}
}
