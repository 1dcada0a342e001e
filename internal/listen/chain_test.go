package listen

import (
	"crypto/sha256"
	"crypto/tls"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/link"
)

const binding = "\x00\x01\x00\x00\x21\x12\xa4\x42" // the begin of a STUN binding request

// TestChain goes over listener, ALPN and first bytes.
func TestChain(t *testing.T) {
	all := Protocols()
	tests := []struct {
		name     string
		listener string
		speaks   []Protocol
		plain    bool
		alpn     []string
		says     string
		want     Protocol // or
		closed   Reason
	}{
		{"direct TLS by ALPN", "tls", all, false, []string{"xmpp-client"}, "<stream>", XMPP, ""},
		{"direct TLS on the XMPP port by ALPN", "xmpp", all, false, []string{"xmpp-client"}, "<stream>", XMPP, ""},
		{"direct TLS without ALPN", "tls", all, false, nil, "<stream>", XMPP, ""},
		{"direct TLS without ALPN on the XMPP port", "xmpp", all, false, nil, "<?xml ", XMPP, ""},
		{"white space first", "tls", all, false, nil, " \n<stream>", XMPP, ""},
		{"byte order mark first", "tls", all, false, nil, "\xef\xbb\xbf<stream>", XMPP, ""},
		{"TURN by ALPN", "tls", all, false, []string{"stun.turn"}, binding, TURN, ""},
		{"TURN without ALPN", "tls", all, false, nil, binding, TURN, ""},
		{"TURN without TLS", "tls", all, true, nil, binding, TURN, ""},
		{"HTTP by ALPN", "tls", all, false, []string{"h2", "http/1.1"}, "GET / HTTP/1.1\r\n", HTTP, ""},
		{"HTTP without ALPN", "tls", all, false, nil, "GET / HTTP/1.1\r\n", HTTP, ""},
		{"CONNECT without ALPN", "tls", all, false, nil, "CONNECT a:1 HTTP/1.1\r\n", HTTP, ""},
		{"STARTTLS", "xmpp", all, true, nil, "<?xml version='1.0'?><stream:stream>", STARTTLS, ""},
		{"ALPN decides, not the bytes", "tls", all, false, []string{"http/1.1"}, "<stream>", HTTP, ""},
		{"our preference among several", "tls", all, false, []string{"http/1.1", "xmpp-client"}, "<stream>", XMPP, ""},

		{"STARTTLS on the TLS port", "tls", all, true, nil, "<stream>", "", UnknownProtocol},
		{"HTTP on the XMPP port", "xmpp", all, true, nil, "GET / HTTP/1.1\r\n\r\n", "", UnknownProtocol},
		{"HTTP in plain text on the TLS port", "tls", all, true, nil, "GET / HTTP/1.1\r\n\r\n", "", UnknownProtocol},
		{"HTTP inside TLS on the XMPP port", "xmpp", all, false, nil, "GET / HTTP/1.1\r\n\r\n", "", UnknownProtocol},
		{"TURN on the XMPP port", "xmpp", all, true, nil, binding, "", UnknownProtocol},
		{"TURN inside TLS on the XMPP port", "xmpp", all, false, nil, binding, "", UnknownProtocol},
		{"white space before STARTTLS", "xmpp", all, true, nil, " <stream>", "", UnknownProtocol},
		{"a PROXY header from a stranger, version 1", "tls", all, true, nil, "PROXY TCP4 192.0.2.1 192.0.2.2 1 443\r\n", "", UnknownProtocol},
		{"a PROXY header from a stranger, version 2", "xmpp", all, true, nil, "\r\n\r\n\x00\r\nQUIT\n!\x11\x00\x0c", "", UnknownProtocol},
		{"SSH", "tls", all, true, nil, "SSH-2.0-x\r\n", "", UnknownProtocol},
		{"unknown bytes inside TLS", "tls", all, false, nil, "\x7f", "", UnknownProtocol},
		{"STARTTLS switched off", "xmpp", []Protocol{XMPP}, true, nil, "<stream>", "", NoHandler},
		{"HTTP switched off", "tls", []Protocol{XMPP}, false, nil, "GET / HTTP/1.1\r\n", "", NoHandler},
		{"TURN switched off", "tls", []Protocol{XMPP}, true, nil, binding, "", NoHandler},
		{"everything switched off", "tls", nil, false, []string{"xmpp-client"}, "<stream>", "", NoHandler},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, testConfig(), tt.speaks...).start()
			c := w.dial(tt.listener)
			if !tt.plain {
				c = tls.Client(c, w.clientTLS(tt.alpn...))
			}
			writes(t, c, tt.says)
			if tt.closed != "" {
				closes(t, c)
				w.wantClosed(tt.closed)
				return
			}
			h := w.next()
			if h.protocol != tt.want || h.info.TLS.Secure() == tt.plain {
				t.Errorf("handed to %q, secure %v, want %q, %v", h.protocol, h.info.TLS.Secure(), tt.want, !tt.plain)
			}
			reads(t, h.conn, tt.says)
			writes(t, h.conn, "answer")
			reads(t, c, "answer")
		})
	}
}

func TestALPNMismatch(t *testing.T) {
	for listener, alpn := range map[string]string{"tls": "h2", "xmpp": "http/1.1"} {
		t.Run(listener, func(t *testing.T) {
			w := newWorld(t, testConfig(), Protocols()...).start()
			raw := w.dial(listener)
			err := tls.Client(raw, w.clientTLS(alpn)).Handshake()
			if want := "remote error: tls: no application protocol"; err == nil || err.Error() != want {
				t.Errorf("Handshake() = %v, want %s", err, want)
			}
			closes(t, raw)
			w.wantClosed(ALPNMismatch)
		})
	}
}

func TestFacts(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			w := newWorld(t, testConfig(), XMPP).start()
			cfg := w.clientTLS("xmpp-client")
			cfg.MaxVersion = version
			cfg.ClientSessionCache = tls.NewLRUClientSessionCache(1)
			for _, resumed := range []bool{false, true} {
				raw := w.dial("tls")
				c := tls.Client(raw, cfg)
				writes(t, c, "<")
				h := w.next()
				writes(t, h.conn, ">")
				reads(t, c, ">") // takes the ticket in

				sum := sha256.Sum256(w.bundle.leaf.Raw)
				want := link.Info{
					Remote: addrPort(raw.LocalAddr()), Local: addrPort(raw.RemoteAddr()), Via: link.ViaTLS,
					TLS: link.TLS{Version: version, ServerName: testDomain, ALPN: "xmpp-client", Resumed: resumed, Leaf: sum, EndPoint: sum[:]},
				}
				if version == tls.VersionTLS13 {
					cs := c.ConnectionState()
					want.TLS.Exporter, _ = cs.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
				}
				if diff := cmp.Diff(want, h.info, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
					t.Errorf("resumed %v: info (-want +got)\n%s", resumed, diff)
				}
			}
		})
	}
}
