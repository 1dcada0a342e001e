package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/certs"
	"signalbox/internal/identity"
)

// fromOutside has x look at what serves on loopback, with the authority of its bundle.
func fromOutside(t *testing.T, x *examination) {
	t.Helper()
	if err := x.survey(); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(x.bundles[0].Root)
	x.report, x.bundles = certs.Report{}, nil
	x.Outside = &Outside{Address: "127.0.0.1", Roots: roots}
}

// TestFromOutside: no file of the server is looked at, and the listeners of the configuration are those of another machine.
func TestFromOutside(t *testing.T) {
	x := example(t)
	at := serving(t, x, &tls.Config{NextProtos: []string{alpnClient}}, "")
	fromOutside(t, x)
	_, port, _ := net.SplitHostPort(at)
	x.Config.Listen.TLS = []string{":" + port, ":1"}
	x.take(t.Context(), []Step{TLS, Store, Limits})
	wantLines(t, x, "ok signalbox.yaml", "ok listen.tls "+at+", ALPN xmpp-client: a client accepts it", "ok listen.tls "+at+", without ALPN: a client accepts it",
		"wrong listen.tls 127.0.0.1:1: nothing listens there")

	x.checks, x.Outside.Roots, x.Config.Listen.TLS = nil, x509.NewCertPool(), []string{":" + port}
	x.take(t.Context(), []Step{TLS})
	const opened = "where --ca-file has other authorities"
	wantLines(t, x, "ok signalbox.yaml", opened, opened)
	if x.checks[1].Code != Intercepted {
		t.Errorf("code %s, want %s", x.checks[1].Code, Intercepted)
	}
}

// TestLeadsElsewhere: a name that leads to another address is well where our server answers there, as behind a balancer.
func TestLeadsElsewhere(t *testing.T) {
	for _, tc := range []struct {
		name string
		at   func(*testing.T, *examination) string
		why  string // empty: it is ours
	}{
		{"our server", func(t *testing.T, x *examination) string { return serving(t, x, &tls.Config{}, "") }, ""},
		{"another server", func(t *testing.T, _ *examination) string { return serving(t, example(t), &tls.Config{}, "") }, "another certificate than ours is shown there"},
		{"nobody", func(*testing.T, *examination) string { return "127.0.0.1:1" }, "port 1 there nothing listens there"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := example(t)
			x.Config.Listen.TLS = []string{tc.at(t, x)}
			if ours, why := x.oursAt(t.Context(), "127.0.0.1"); ours != (tc.why == "") || !strings.Contains(why, tc.why) {
				t.Errorf("oursAt = %v, %q, want %q", ours, why, tc.why)
			}
		})
	}
	x := example(t)
	x.Outside = &Outside{Address: "192.0.2.7"}
	x.leads(t.Context(), domain, []string{zoneAddress})
	x.Outside.Address = zoneAddress
	x.leads(t.Context(), domain, []string{zoneAddress})
	wantLines(t, x, "warning "+domain+": resolves to 192.0.2.1, and not to 192.0.2.7, which was given", "ok "+domain+": resolves to 192.0.2.1")
}

func TestIdentityKey(t *testing.T) {
	x := example(t)
	path := filepath.Join(x.Config.DataDir, identityFile)
	x.identity() // none yet
	x.Running = map[string][]string{}
	x.identity()
	if _, err := identity.LoadOrCreate(path); err != nil {
		t.Fatal(err)
	}
	x.identity()
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	x.identity()
	put(t, path, []byte("signalbox identity key 1\n"))
	x.identity()
	wantLines(t, x, "its identity key is gone", "endpoints that enrolled know this server by the key sbk1:", "wrong "+path, "wrong "+path)
}

// TestSilentAllocation: servers that say nothing, or hang up, are not waited for longer than patience, and nothing is left behind.
func TestSilentAllocation(t *testing.T) {
	x := example(t)
	x.patience = 2 * time.Second // in which a connection is made, also on a busy machine
	for _, p := range []port{
		{network: "udp", addr: datagrams(t, func([]byte, netip.AddrPort) []byte { return nil })},
		{network: "tcp", addr: answering(t, func(c net.Conn) { _ = c.Close() })},
		{network: "tcp", addr: answering(t, func(net.Conn) {})},
	} {
		if a, trouble := x.allocate(t.Context(), p, Credentials{"a", "b"}); a != nil || trouble == nil || trouble.code != TURNSilent {
			t.Errorf("%s %s: %v, %+v", p.network, p.addr, a, trouble)
		}
	}
	x.Session = func(context.Context) (TURNSession, error) { return TURNSession{}, os.ErrPermission }
	x.relaying(t.Context(), []port{{network: "tcp"}})
	wantLines(t, x, "wrong allocations: no session could be opened to try them: permission denied")
}
