package listen

import (
	"crypto/tls"
	"net"
	"slices"
	"sync"
	"testing"
)

// watcher keeps what it is told.
type watcher struct {
	mu   sync.Mutex
	told []Refusal
}

func (w *watcher) Refused(r Refusal) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, r)
}

// TestObserver is told of each refusal once, with what the client asked for, before the connection is closed.
func TestObserver(t *testing.T) {
	shake := func(edit func(*tls.Config)) func(*world, net.Conn) {
		return func(w *world, c net.Conn) {
			cfg := w.clientTLS("xmpp-client")
			edit(cfg)
			if err := tls.Client(c, cfg).Handshake(); err == nil {
				w.t.Error("Handshake() = nil")
			}
		}
	}
	for _, tt := range []struct {
		name   string
		client func(*world, net.Conn)
		want   Refusal
	}{
		{"refuses our certificate", shake(func(c *tls.Config) { c.RootCAs = nil }), Refusal{Reason: HandshakeFailed, How: "bad_certificate", Hello: Hello{ServerName: testDomain, MaxVersion: tls.VersionTLS13}}},
		{"foreign name", shake(func(c *tls.Config) { c.ServerName = "stranger.local" }), Refusal{Reason: SNIUnknown, Hello: Hello{ServerName: "stranger.local", MaxVersion: tls.VersionTLS13}}},
		{"old", shake(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }), Refusal{Reason: TLSTooOld, Hello: Hello{ServerName: testDomain, MaxVersion: tls.VersionTLS11}}},
		{"speaks something else", func(w *world, c net.Conn) { writes(w.t, c, "GET /") }, Refusal{Reason: UnknownProtocol}},
		{"leaves inside TLS", func(w *world, c net.Conn) {
			s := tls.Client(c, w.clientTLS())
			if err := s.Handshake(); err != nil {
				w.t.Fatal(err)
			}
			if err := s.CloseWrite(); err != nil {
				w.t.Fatal(err)
			}
		}, Refusal{Reason: ClosedEarly, Secured: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, told := newWorld(t, testConfig(), XMPP), &watcher{}
			w.server.Observe(told)
			w.start()
			c := w.dial("tls")
			tt.client(w, c)
			closes(t, c)
			told.mu.Lock()
			defer told.mu.Unlock()
			if len(told.told) != 1 {
				t.Fatalf("told %+v, want one refusal", told.told)
			}
			got := told.told[0]
			if got.Reason != tt.want.Reason || got.How != tt.want.How || got.Hello.ServerName != tt.want.Hello.ServerName || got.Hello.MaxVersion != tt.want.Hello.MaxVersion ||
				got.Secured != tt.want.Secured || got.Listener != "tls" || got.Remote.String() != c.LocalAddr().String() {
				t.Errorf("told %+v, want %+v", got, tt.want)
			}
			if asked := got.Hello.MaxVersion != 0; asked != slices.Contains(got.Hello.ALPN, "xmpp-client") {
				t.Errorf("ALPN = %v", got.Hello.ALPN)
			}
			if saw := got.Leaf != [32]byte{}; saw != (tt.want.How != "" || tt.want.Reason == TLSTooOld) {
				t.Errorf("leaf = %x", got.Leaf)
			}
		})
	}
}
