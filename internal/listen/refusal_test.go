package listen

import (
	"crypto/tls"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// TestRefusals has clients that do not like our certificate.
func TestRefusals(t *testing.T) {
	hello := string(clientHello(t))
	const ccs = "\x14\x03\x03\x00\x01\x01"
	plain := func(says string) func(*world, net.Conn) {
		return func(w *world, c net.Conn) {
			writes(w.t, c, hello)
			if _, err := c.Read(make([]byte, 1<<14)); err != nil { // the server's flight
				w.t.Fatal(err)
			}
			writes(w.t, c, says)
		}
	}
	with := func(edit func(*tls.Config)) func(*world, net.Conn) {
		return func(w *world, c net.Conn) {
			cfg := w.clientTLS()
			edit(cfg)
			if err := tls.Client(c, cfg).Handshake(); err == nil {
				w.t.Error("Handshake() = nil")
			}
		}
	}
	tests := []struct {
		name   string
		client func(*world, net.Conn)
		want   string
	}{
		{"OpenSSL, unknown CA", plain("\x15\x03\x03\x00\x02\x02\x30"), "unknown_ca"},
		{"OpenSSL, expired, after a change of cipher", plain(ccs + "\x15\x03\x03\x00\x02\x02\x2d"), "expired"},
		{"OpenSSL, something else", plain("\x15\x03\x03\x00\x02\x02\x50"), "other_alert"},
		{"Go, TLS 1.3", with(func(c *tls.Config) { c.RootCAs = nil }), "bad_certificate"},
		{"Go, TLS 1.2", with(func(c *tls.Config) { c.RootCAs, c.MaxVersion = nil, tls.VersionTLS12 }), "bad_certificate"},
		{"closes", func(w *world, c net.Conn) { plain("")(w, c); c.(*net.TCPConn).CloseWrite() }, "closed_after_certificate"},
		{"closes before the certificate", func(w *world, c net.Conn) { writes(w.t, c, hello[:99]); c.(*net.TCPConn).CloseWrite() }, ""},
		{"garbage", plain("\x17\x03\x03\x00\x02\x02\x30"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			core, logs := observer.New(zapcore.WarnLevel)
			w := newWorld(t, testConfig(), XMPP)
			w.server.log = zap.New(core)
			w.start()
			c := w.dial("tls")
			tt.client(w, c)
			closes(t, c)
			got := ""
			for _, name := range refusalNames() {
				if testutil.ToFloat64(w.server.metrics.refusals.WithLabelValues(name)) == 1 {
					got += name
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("refusal (-want +got)\n%s", diff)
			}
			if told := logs.Len() == 1; told != (tt.want != "" && tt.want != refusedClose) {
				t.Errorf("%d log lines for %q", logs.Len(), tt.want)
			}
		})
	}
}

// TestAlertOfCryptoTLS fails when crypto/tls changes the type that decryptedAlert looks into.
func TestAlertOfCryptoTLS(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	go func() {
		client.Write([]byte("\x15\x03\x03\x00\x02\x02\x30"))
	}()
	if got := decryptedAlert(tls.Server(server, &tls.Config{}).Handshake()); got != 48 {
		t.Errorf("decryptedAlert() = %d, want 48", got)
	}
}
