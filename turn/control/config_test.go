package control

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMistakesInTheConfiguration(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		want   string // one a line; empty: none
	}{
		{"defaults", func(*Config) {}, ""},
		{"one address per family", func(c *Config) { c.PublicIP, c.RelayIP = []string{"192.0.2.1", "2001:db8::1"}, []string{"127.0.0.1"} }, ""},
		{"no addresses", func(c *Config) {
			c.PublicIP, c.RelayIP = []string{"turn.example.com", "192.0.2.1"}, []string{"0.0.0.0", "fe80::1%eth0", "224.0.0.1"}
		},
			"public_ip[0]: \"turn.example.com\" is not an address such as 192.0.2.1\n" +
				"relay_ip[0]: \"0.0.0.0\" is not an address such as 192.0.2.1\n" +
				"relay_ip[1]: \"fe80::1%eth0\" is not an address such as 192.0.2.1\n" +
				"relay_ip[2]: \"224.0.0.1\" is not an address such as 192.0.2.1"},
		{"two of a family", func(c *Config) { c.RelayIP = []string{"192.0.2.1", "::ffff:192.0.2.2"} },
			"relay_ip[1]: \"::ffff:192.0.2.2\" is the second address of its family, one is possible"},
		{"one port", func(c *Config) { c.MinPort, c.MaxPort = 50000, 50000 }, ""},
		{"ports", func(c *Config) { c.MinPort, c.MaxPort = 1023, 65536 },
			"min_port: must be from 1024 to 65535, not 1023\nmax_port: must be from 1024 to 65535, not 65536"},
		{"ports the wrong way round", func(c *Config) { c.MinPort, c.MaxPort = 50001, 50000 }, "max_port: is 50000, below min_port, 50001"},
		{"realm", func(c *Config) { c.Realm = `a"b` }, `realm: is "a\"b", must be 1 to 127 printable ASCII characters without quotes and backslashes`},
		{"no realm", func(c *Config) { c.Realm = "" }, `realm: is "", must be 1 to 127 printable ASCII characters without quotes and backslashes`},
		{"ranges", func(c *Config) {
			c.AllowPeers, c.DenyPeers = []string{"10.0.0.0/8", "192.0.2.7", "::ffff:10.0.0.0/104"}, []string{"2001:db8::/32"}
		}, ""},
		{"bad ranges", func(c *Config) {
			c.AllowPeers, c.DenyPeers = []string{"10.0.0.1/8", "10.0.0.0/33", "::ffff:0:0/90"}, []string{"example.com"}
		},
			"allow_peers[0]: \"10.0.0.1/8\" has bits behind its length; \"10.0.0.0/8\" is meant?\n" +
				"allow_peers[1]: \"10.0.0.0/33\" is neither an address nor a range such as 10.0.0.0/8\n" +
				"allow_peers[2]: \"::ffff:0:0/90\" cuts through the IPv4 part of IPv6\n" +
				"deny_peers[0]: \"example.com\" is neither an address nor a range such as 10.0.0.0/8"},
		{"quotas", func(c *Config) { c.MaxAllocations, c.SessionAllocations, c.TechnicianAllocations = 0, 0, -1 },
			"max_allocations: must be from 1 to 1000000, not 0\nsession_allocations: must be from 1 to 1000000, not 0\ntechnician_allocations: must be from 1 to 1000000, not -1"},
		{"rates", func(c *Config) { c.SessionRate, c.TotalRate = -1, -1 },
			"session_rate: must be from 0 to 1099511627776, not -1\ntotal_rate: must be from 0 to 1099511627776, not -1"},
		{"credentials that outlive their secret", func(c *Config) { c.CredentialTTL = 13 * time.Hour }, "credential_ttl: must be from 1m0s to 12h0m0s, not 13h0m0s"},
		{"control without files", func(c *Config) { c.Control = Remote{URL: "tls://10.0.5.3:3479", CertFile: "/c"} },
			"control.key_file: must be set where the TURN server is controlled over the network\ncontrol.ca_file: must be set where the TURN server is controlled over the network"},
		{"control", func(c *Config) {
			c.Control = Remote{URL: "tls://[2001:db8::1]:3479", Listen: "10.0.5.3:0", CertFile: "/c", KeyFile: "/k", CAFile: "/a"}
		}, ""},
		{"addresses of control", func(c *Config) {
			c.Control = Remote{URL: "https://10.0.5.3:3479/x", Listen: "10.0.5.3", CertFile: "/c", KeyFile: "/k", CAFile: "/a"}
		}, "control.listen: \"10.0.5.3\" is not an address such as 10.0.5.3:3479\ncontrol.url: \"https://10.0.5.3:3479/x\" is not an address such as tls://10.0.5.3:3479"},
		{"port of control", func(c *Config) {
			c.Control = Remote{URL: "tls://10.0.5.3:0", CertFile: "/c", KeyFile: "/k", CAFile: "/a"}
		},
			"control.url: \"tls://10.0.5.3:0\" has no port from 1 to 65535"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := Default()
			tt.change(&c)
			got := ""
			if err := c.Validate(); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(strings.Split(tt.want, "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestZeroConfigurationIsRefused(t *testing.T) {
	if err := (Config{}).Validate(); err == nil {
		t.Error("Validate() accepts ports, realm and quotas that nobody set")
	}
}

func addrs(texts ...string) (all []netip.AddrPort) {
	for _, text := range texts {
		all = append(all, netip.MustParseAddrPort(text))
	}
	return all
}

func TestSettings(t *testing.T) {
	bind := func(bind, announced string) RelayAddress {
		return RelayAddress{Bind: netip.MustParseAddr(bind), Announced: netip.MustParseAddr(announced)}
	}
	tests := []struct {
		name   string
		change func(*Config)
		listen []netip.AddrPort
		want   []RelayAddress
	}{
		{"bound to loopback", func(*Config) {}, addrs("127.0.0.1:3478"), []RelayAddress{bind("127.0.0.1", "127.0.0.1")}},
		{"bound to both families", func(*Config) {}, addrs("[::1]:3478", "127.0.0.1:3478", "127.0.0.2:3478"), []RelayAddress{bind("::1", "::1"), bind("127.0.0.1", "127.0.0.1")}},
		{"translated", func(c *Config) { c.PublicIP = []string{"192.0.2.1"} }, addrs("127.0.0.1:3478"), []RelayAddress{bind("127.0.0.1", "192.0.2.1")}},
		{"told", func(c *Config) { c.RelayIP, c.PublicIP = []string{"10.0.5.3", "::1"}, []string{"2001:db8::1"} }, addrs("127.0.0.1:3478"),
			[]RelayAddress{bind("10.0.5.3", "10.0.5.3"), bind("::1", "2001:db8::1")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := Default()
			tt.change(&c)
			got, err := c.Settings(tt.listen, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.Relay, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRelayAddressOfAListenerEverywhere(t *testing.T) {
	got, err := Default().Settings(addrs("[::]:3478"), nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[bool]bool{}
	for _, r := range got.Relay {
		if r.Bind.IsUnspecified() || r.Bind.Zone() != "" || seen[r.Bind.Is4()] {
			t.Errorf("relay addresses %v, want a specific one of each family at most", got.Relay)
		}
		seen[r.Bind.Is4()] = true
	}
}

func TestSettingsThatCannotBe(t *testing.T) {
	open := filepath.Join(t.TempDir(), "open")
	if err := os.WriteFile(open, []byte("0123456789abcdef"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"public address of another family", func(c *Config) { c.PublicIP = []string{"2001:db8::1"} }, "public_ip: 2001:db8::1 has no address of its family to be bound to: set turn.relay_ip"},
		{"range", func(c *Config) { c.AllowPeers = []string{"x"} }, "allow_peers[0]: "},
		{"secret that others read", func(c *Config) { c.RESTSecretFile = open }, "rest_secret_file: " + open + " is open to others"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := Default()
			tt.change(&c)
			if _, err := c.Settings(addrs("127.0.0.1:3478"), nil); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Settings() = %v, want an error with %q", err, tt.want)
			}
		})
	}
}
