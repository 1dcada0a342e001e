package listen

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

func TestDefaultIsValid(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name string
		edit func(*Config)
		want []string
	}{
		{"everything off", func(c *Config) { c.TLS, c.XMPP, c.TURN, c.API = nil, nil, nil, nil }, nil},
		{"addresses", func(c *Config) {
			c.TLS, c.XMPP, c.HTTP = []string{":443", "443"}, []string{"a:xmpp"}, []string{":65536"}
		}, []string{
			`tls[1]: "443" is not an address such as ":443" or "192.0.2.1:443"`,
			`xmpp[0]: "a:xmpp" has no port from 0 to 65535`,
			`http[0]: ":65536" has no port from 0 to 65535`,
		}},
		{"good proxies", func(c *Config) {
			c.TrustedProxies = []string{"10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "::ffff:10.0.0.0/104", "::1"}
		}, nil},
		{"proxies", func(c *Config) {
			c.TrustedProxies = []string{"10.0.0.0/33", "10.0.0.1/8", "balancer", "::ffff:0:0/90", ""}
		}, []string{
			`trusted_proxies[0]: "10.0.0.0/33" is neither an address nor a range such as 10.0.0.0/8`,
			`trusted_proxies[1]: "10.0.0.1/8" has bits behind its length; "10.0.0.0/8" is meant?`,
			`trusted_proxies[2]: "balancer" is neither an address nor a range such as 10.0.0.0/8`,
			`trusted_proxies[3]: "::ffff:0:0/90" cuts through the IPv4 part of IPv6`,
			`trusted_proxies[4]: "" is neither an address nor a range such as 10.0.0.0/8`,
		}},
		{"routes", func(c *Config) {
			c.SNIPassthrough = map[string]string{"a.b": "c:443", "A.B": "d:443", "*": "c:1", "x:1": "c:1", "e": "c", "f": ":443", "g": "c:0", "*.h": "c:1"}
		}, []string{
			`sni_passthrough.*: "*" is not a host name`,
			`sni_passthrough.a.b: is there twice`,
			`sni_passthrough.e: "c" is not host:port`,
			`sni_passthrough.f: ":443" is not host:port`,
			`sni_passthrough.g: "c:0" has no port from 1 to 65535`,
			`sni_passthrough.x:1: "x:1" is not a host name`,
		}},
		{"limits", func(c *Config) { *c = Config{HandshakeTimeout: time.Hour} }, []string{
			"max_connections: must be from 1 to 10000000, not 0",
			"max_per_source: must be from 1 to 10000000, not 0",
			"max_handshakes: must be from 1 to 100000, not 0",
			"handshake_queue: must be from 1 to 1000000, not 0",
			"handshake_queue_timeout: must be from 1s to 5m0s, not 0s",
			"handshake_timeout: must be from 1s to 5m0s, not 1h0m0s",
			"first_byte_timeout: must be from 1s to 5m0s, not 0s",
			"passthrough_idle_timeout: must be from 10s to 24h0m0s, not 0s",
			"passthrough_dial_timeout: must be from 100ms to 1m0s, not 0s",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := Default()
			tt.edit(&c)
			var got []string
			if err := c.Validate(); err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Validate() (-want +got)\n%s", diff)
			}
			if _, err := New(c, nil, zap.NewNop(), prometheus.NewRegistry()); (err != nil) != (tt.want != nil) {
				t.Errorf("New() = %v", err)
			}
		})
	}
}

// TestConfigTags: every key is named and documented.
func TestConfigTags(t *testing.T) {
	for f := range reflect.TypeFor[Config]().Fields() {
		if f.Tag.Get("key") == "" || !strings.HasSuffix(f.Tag.Get("doc"), ".") {
			t.Errorf("%s has no key or no sentence", f.Name)
		}
	}
}

// TestMetricsStartAtZero: each reason, kind, listener and protocol is there before anything happens.
func TestMetricsStartAtZero(t *testing.T) {
	reg := prometheus.NewRegistry()
	if _, err := New(Default(), nil, zap.NewNop(), reg); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, f := range families {
		got[f.GetName()] = len(f.GetMetric())
	}
	want := map[string]int{
		"signalbox_listen_connections": 5, "signalbox_listen_accepted_total": 5, "signalbox_listen_closed_total": 20,
		"signalbox_listen_client_certificates_total": 2,
		"signalbox_listen_accept_errors_total":       4, "signalbox_listen_handed_on_total": 5, "signalbox_listen_handshake_seconds": 1,
		"signalbox_listen_handshakes_inflight": 1, "signalbox_listen_tls_refusals_total": 9, "signalbox_listen_handshake_queue_length": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got)\n%s", diff)
	}
}
