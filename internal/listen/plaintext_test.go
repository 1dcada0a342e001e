package listen

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"signalbox/internal/link"
)

// newLaboratory is a world with the laboratory's listener. Everybody on loopback is a trusted proxy, which must not count there.
func newLaboratory(t *testing.T) *world {
	t.Helper()
	cfg := testConfig()
	cfg.TrustedProxies = []string{"127.0.0.0/8"}
	w := newWorld(t, cfg, Protocols()...)
	if err := w.server.AllowPlaintext("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	return w.start()
}

func TestPlaintextLoginsAreAllowedThereAlone(t *testing.T) {
	w := newLaboratory(t)
	writes(t, w.dial("xmpp_plaintext"), "<stream>")
	if h := w.next(); h.protocol != STARTTLS || !h.info.TLS.Laboratory || h.info.TLS.Secure() || h.info.Via != link.ViaPlaintext {
		t.Errorf("handed to %q with %+v", h.protocol, h.info)
	}
	writes(t, w.dial("xmpp"), "PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n<stream>")
	if h := w.next(); h.protocol != STARTTLS || h.info.TLS.MayLogIn() || h.info.Via != link.ViaSTARTTLS {
		t.Errorf("on 5222: handed to %q with %+v", h.protocol, h.info)
	}
}

func TestPlaintextPortSpeaksNothingElse(t *testing.T) {
	for name, said := range map[string]string{
		"a proxy": "PROXY TCP4 192.0.2.1 127.0.0.1 1 2\r\n<stream>", "STUN": "\x00\x01", "HTTP": "GET / HTTP/1.1\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			w := newLaboratory(t)
			c := w.dial("xmpp_plaintext")
			writes(t, c, said)
			closes(t, c)
			w.wantClosed(UnknownProtocol)
		})
	}
	t.Run("TLS", func(t *testing.T) {
		w := newLaboratory(t)
		if err := tls.Client(w.dial("xmpp_plaintext"), w.clientTLS()).HandshakeContext(t.Context()); err == nil {
			t.Error("a TLS handshake succeeds")
		}
		w.wantClosed(UnknownProtocol)
	})
}

func TestPlaintextIsRefusedOffLoopback(t *testing.T) {
	w := newWorld(t, testConfig(), XMPP)
	for _, addr := range []string{":0", "0.0.0.0:0", "localhost:0", "192.0.2.1:0"} {
		if err := w.server.AllowPlaintext(addr); err == nil || !strings.HasPrefix(err.Error(), "xmpp.insecure_plaintext: ") {
			t.Errorf("AllowPlaintext(%q) = %v", addr, err)
		}
	}
	w.start()
	if got := w.server.Addrs()["xmpp_plaintext"]; got != nil {
		t.Errorf("listens on %v", got)
	}
}

// TestPlaintextNeedsNoCertificate: what speaks no TLS stays open when the certificate has expired.
func TestPlaintextNeedsNoCertificate(t *testing.T) {
	w := newWorldWith(t, testConfig(), newBundle(t, time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)), STARTTLS)
	if err := w.server.AllowPlaintext("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	w.start()
	writes(t, w.dial("xmpp_plaintext"), "<stream>")
	if h := w.next(); !h.info.TLS.Laboratory {
		t.Errorf("handed over with %+v", h.info)
	}
}
