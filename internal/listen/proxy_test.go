package listen

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pires/go-proxyproto"
)

// header makes a PROXY header in the version given.
func header(t testing.TB, version byte, from, to string) string {
	t.Helper()
	h := proxyproto.HeaderProxyFromAddrs(version, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from)), net.TCPAddrFromAddrPort(netip.MustParseAddrPort(to)))
	return format(t, h)
}

func format(t testing.TB, h *proxyproto.Header) string {
	t.Helper()
	b, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func behindProxy() Config {
	cfg := testConfig()
	cfg.TrustedProxies = []string{"127.0.0.0/8"}
	return cfg
}

func TestProxyHeader(t *testing.T) {
	v2 := header(t, 2, "192.0.2.7:1234", "192.0.2.1:443")
	local := format(t, &proxyproto.Header{Version: 2, Command: proxyproto.LOCAL, TransportProtocol: proxyproto.UNSPEC})
	tests := []struct {
		name, says string
		want       string // address, empty: that of the connection itself
		closed     Reason
	}{
		{"version 1", header(t, 1, "192.0.2.7:1234", "192.0.2.1:443"), "192.0.2.7:1234", ""},
		{"version 1, IPv6", header(t, 1, "[2001:db8::7]:1234", "[2001:db8::1]:443"), "[2001:db8::7]:1234", ""},
		{"version 1, unknown", "PROXY UNKNOWN\r\n", "", ""},
		{"version 2", v2, "192.0.2.7:1234", ""},
		{"version 2, IPv6", header(t, 2, "[2001:db8::7]:1234", "[2001:db8::1]:443"), "[2001:db8::7]:1234", ""},
		{"version 2, IPv4 in IPv6", header(t, 2, "[::ffff:192.0.2.7]:1234", "[2001:db8::1]:443"), "192.0.2.7:1234", ""},
		{"version 2, the proxy's own", local, "", ""},
		{"missing", "", "", ProxyMissing},
		{"another one behind it", v2 + v2, "", UnknownProtocol},
		{"version 1, no address", "PROXY TCP4\r\n", "", ProxyBad},
		{"version 1, endless", "PROXY TCP4 " + string(bytes.Repeat([]byte{'1'}, 200)), "", ProxyBad},
		{"version 2, of a datagram", "\r\n\r\n\x00\r\nQUIT\n\x21\x12\x00\x0c\xc0\x00\x02\x07\xc0\x00\x02\x01\x04\xd2\x01\xbb", "", ProxyBad},
		{"version 2, wrong length", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x01\x00", "", ProxyBad},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, behindProxy(), STARTTLS).start()
			c := w.dial("xmpp")
			writes(t, c, tt.says+"<stream>")
			if tt.closed != "" {
				closes(t, c)
				w.wantClosed(tt.closed)
				return
			}
			h := w.next()
			if tt.want == "" {
				tt.want = c.LocalAddr().String()
			}
			if diff := cmp.Diff(tt.want, h.info.Remote.String()); diff != "" {
				t.Errorf("remote (-want +got)\n%s", diff)
			}
			if got := h.conn.RemoteAddr().String(); got != tt.want {
				t.Errorf("RemoteAddr() = %s, want %s", got, tt.want)
			}
			reads(t, h.conn, "<stream>")
		})
	}
}

func TestProxyHeaderBeforeTLS(t *testing.T) {
	w := newWorld(t, behindProxy(), XMPP).start()
	raw := w.dial("tls")
	writes(t, raw, header(t, 2, "192.0.2.7:1234", "192.0.2.1:443"))
	c := tls.Client(raw, w.clientTLS("xmpp-client"))
	writes(t, c, "<stream>")
	h := w.next()
	if got := h.info.Remote.String(); got != "192.0.2.7:1234" {
		t.Errorf("remote = %s", got)
	}
	reads(t, h.conn, "<stream>")
}

// TestProxyHeaderTruncated has a proxy that gives up in the middle, and one that only looks whether the port is open.
func TestProxyHeaderTruncated(t *testing.T) {
	for says, want := range map[string]Reason{"": ClosedEarly, "\r\n\r\n\x00\r\nQUIT\n\x21\x11": ProxyBad, "\r\n\r\n": ProxyMissing} {
		w := newWorld(t, behindProxy(), STARTTLS).start()
		c := w.dial("xmpp")
		writes(t, c, says)
		c.(*net.TCPConn).CloseWrite()
		closes(t, c)
		w.wantClosed(want)
	}
}

func TestSourceLimitBehindProxy(t *testing.T) {
	cfg := behindProxy()
	cfg.MaxPerSource = 2
	w := newWorld(t, cfg, STARTTLS).start()
	dial := func(from string) net.Conn {
		c := w.dial("xmpp")
		writes(t, c, header(t, 2, from, "[2001:db8::1]:443")+"<")
		return c
	}
	first := dial("[2001:db8:0:1::1]:1")
	w.next()
	dial("[2001:db8:0:1:ffff::2]:2") // the same /64
	second := w.next()
	closes(t, dial("[2001:db8:0:1::3]:3"))
	w.wantClosed(TooManySource)

	dial("[2001:db8:0:2::1]:1") // another /64
	w.next()
	second.conn.Close() // gives a place back, once
	second.conn.Close()
	dial("[2001:db8:0:1::4]:4")
	w.next()
	closes(t, dial("[2001:db8:0:1::5]:5"))
	if got := w.counted(TooManySource); got != 2 {
		t.Errorf("closed_total{reason=%q} = %d, want 2", TooManySource, got)
	}
	if _, err := io.WriteString(first, "still open"); err != nil {
		t.Error(err)
	}
}

func TestTrusts(t *testing.T) {
	cfg := Config{TrustedProxies: []string{"192.0.2.0/24", "2001:db8::1", "no range"}}
	for addr, want := range map[string]bool{"192.0.2.7": true, "::ffff:192.0.2.7": true, "2001:db8::1": true, "192.0.3.7": false, "127.0.0.1": false} {
		if got := cfg.Trusts(netip.MustParseAddr(addr)); got != want {
			t.Errorf("Trusts(%s) = %v, want %v", addr, got, want)
		}
	}
}
