package why

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"signalbox/internal/config"
	"signalbox/tests/harness"
)

// row is one failure: what is done, and what must be said of it. $ID and $IP stand for the scene's.
type row struct {
	name    string
	code    string
	inject  func(*scene)
	summary []string
	action  []string
}

func (r row) run(t *testing.T, s *harness.Server, known bool) {
	t.Run(r.name, func(t *testing.T) {
		t.Parallel()
		c := newScene(t, s)
		if known {
			c.home()
		}
		r.play(c)
	})
}

// play does what the row says and holds the diagnosis against it.
func (r row) play(c *scene) {
	c.t.Helper()
	r.inject(c)
	d := c.await(r.code)
	own := strings.NewReplacer("$ID", c.id, "$IP", c.ip)
	for _, w := range r.summary {
		says(c.t, "summary", d.Summary, own.Replace(w))
	}
	for _, w := range r.action {
		says(c.t, "action", d.Action, own.Replace(w))
	}
	c.t.Logf("%s\n\t%s\n\t%s", d.Code, d.Summary, d.Action)
}

// openssl is a client that verifies our certificate as it is told to; it must fail.
func openssl(args ...string) func(*scene) {
	return func(c *scene) {
		c.t.Helper()
		if _, err := exec.LookPath("openssl"); err != nil {
			c.t.Skip("LEFT OUT: openssl as a client: it is not installed")
		}
		full := append([]string{"s_client", "-connect", c.s.Addr("tls"), "-bind", c.ip + ":0", "-servername", harness.Domain, "-verify_return_error", "-brief"}, args...)
		for i := range full {
			full[i] = strings.ReplaceAll(full[i], "$CA", c.s.CAFile)
		}
		cmd := exec.CommandContext(c.t.Context(), "openssl", full...)
		if out, err := cmd.CombinedOutput(); err == nil {
			c.t.Fatalf("openssl %v succeeded:\n%s", full, out)
		}
	}
}

// python is a client of Python's ssl; it must fail.
func python(c *scene) {
	c.t.Helper()
	const program = "import socket, ssl, sys\n" +
		"s = socket.create_connection((sys.argv[1], int(sys.argv[2])), source_address=(sys.argv[3], 0))\n" +
		"ssl.create_default_context().wrap_socket(s, server_hostname=sys.argv[4])\n"
	if _, err := exec.LookPath("python3"); err != nil {
		c.t.Skip("LEFT OUT: Python as a client: it is not installed")
	}
	host, port, err := net.SplitHostPort(c.s.Addr("tls"))
	if err != nil {
		c.t.Fatal(err)
	}
	out, err := exec.CommandContext(c.t.Context(), "python3", "-c", program, host, port, c.ip, harness.Domain).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "CERTIFICATE_VERIFY_FAILED") {
		c.t.Fatalf("python ended with %v:\n%s", err, out)
	}
}

// goTLS is a client of crypto/tls; its handshake must fail.
func goTLS(change func(*tls.Config)) func(*scene) {
	return func(c *scene) {
		c.t.Helper()
		cfg := c.s.TLS()
		change(cfg)
		if err := tls.Client(c.tcp("tls"), cfg).HandshakeContext(c.t.Context()); err == nil {
			c.t.Fatal("the handshake succeeded")
		}
	}
}

// raw sends bytes to a listener and waits until the server closes.
func raw(listener, text string) func(*scene) {
	return func(c *scene) {
		c.t.Helper()
		conn := c.tcp(listener)
		if _, err := io.WriteString(conn, text); err != nil {
			c.t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, conn)
	}
}

// alert is a client that says in plain text what it thinks of our certificate, as those built on OpenSSL do.
func alert(name string, description byte) func(*scene) {
	return func(c *scene) {
		c.t.Helper()
		cfg, conn := c.s.TLS(), c.tcp("tls")
		cfg.ServerName, cfg.InsecureSkipVerify = name, true
		cfg.VerifyConnection = func(tls.ConnectionState) error {
			_, err := conn.Write([]byte{21, 3, 3, 0, 2, 2, description})
			conn.Close()
			return errors.Join(err, io.EOF)
		}
		if err := tls.Client(conn, cfg).HandshakeContext(c.t.Context()); err == nil {
			c.t.Fatal("the handshake succeeded")
		}
	}
}

// TestConnections: failures before the stream, seen from the address where the endpoint was last seen.
func TestConnections(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, quick)
	for _, r := range []row{
		{"unknown authority", "cert_unknown_ca", openssl("-no-CAfile", "-no-CApath", "-no-CAstore"), []string{"The client at $IP, where $ID was last seen,", "alert 48"}, []string{"trust store"}},
		{"unknown authority, Python", "cert_unknown_ca", python, []string{"alert 48"}, []string{"trust store"}},
		{"clock ahead", "clock_skewed", openssl("-CAfile", "$CA", "-attime", "4000000000"), []string{"alert 45", "clock of the endpoint is ahead"}, []string{"Set the clock"}},
		{"wrong name", "cert_wrong_name", openssl("-CAfile", "$CA", "-verify_hostname", "other.example"), []string{"alert 42", "name", "asked for " + harness.Domain},
			[]string{harness.Domain}},
		{"wrong name, crypto/tls", "cert_wrong_name", goTLS(func(c *tls.Config) { c.RootCAs = nil }), []string{"alert 42"}, []string{"Go"}},
		{"closes when it sees the certificate", "cert_closed", func(c *scene) {
			cfg, conn := c.s.TLS(), c.tcp("tls")
			cfg.VerifyPeerCertificate = nil
			cfg.InsecureSkipVerify = true
			cfg.VerifyConnection = func(tls.ConnectionState) error { conn.Close(); return io.EOF }
			_ = tls.Client(conn, cfg).HandshakeContext(c.t.Context())
		}, []string{"closed the connection", "certificate"}, []string{"signalbox certs inspect"}},
		{"unsupported certificate", "cert_unsupported", alert(harness.Domain, 43), []string{"alert 43"}, []string{"RSA"}},
		{"revoked certificate", "cert_revoked", alert(harness.Domain, 44), []string{"revoked", "alert 44"}, []string{"new certificate"}},
		{"certificate unknown", "cert_refused", alert(harness.Domain, 46), []string{"without saying what"}, []string{"openssl s_client"}},
		{"access denied", "cert_denied", alert(harness.Domain, 49), []string{"alert 49"}, []string{"rules"}},
		{"a protocol that is off", "protocol_off", func(c *scene) {
			cfg := c.s.TLS()
			cfg.NextProtos = nil
			conn := tls.Client(c.tcp("tls"), cfg)
			if _, err := conn.Write([]byte{0, 1, 0, 0}); err != nil {
				c.t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, conn)
		}, []string{"switched off"}, []string{"XMPP"}},
		{"no common ALPN", "alpn_mismatch", openssl("-CAfile", "$CA", "-alpn", "h2,mqtt"), []string{"h2, mqtt"}, []string{"xmpp-client"}},
		{"TLS too old", "tls_too_old", goTLS(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }), []string{"TLS 1.1", "TLS 1.2"},
			[]string{"TLS library"}},
		{"unknown server name", "sni_unknown", goTLS(func(c *tls.Config) { c.ServerName = "mail.example" }), []string{"mail.example"}, []string{harness.Domain, "certs.dir"}},
		{"no common cipher", "handshake_failed", openssl("-CAfile", "$CA", "-tls1_2", "-cipher", "AES128-SHA"), []string{"cipher"}, []string{"ciphers"}},
		{"handshake not finished", "handshake_timeout", raw("tls", "\x16\x03\x01\x02\x00\x01"), []string{"did not finish"}, []string{"MTU"}},
		{"plain HTTP on 443", "unknown_protocol", raw("tls", "GET / HTTP/1.1\r\n\r\n"), []string{"port tls"}, []string{"443"}},
		{"nothing is said", "no_first_byte", raw("tls", ""), []string{"said nothing"}, []string{"firewall"}},
		{"closes at once", "closed_early", func(c *scene) { c.tcp("tls").Close() }, []string{"before it said anything"}, []string{"signalbox-agent doctor"}},
		{"TLS and nothing more", "stream_never_opened", func(c *scene) { c.stream().Close() }, []string{"finished the TLS handshake", "without opening a stream"}, []string{"log of the program"}},
	} {
		r.run(t, s, true)
	}
}

// TestStrangersOwnNothing: what comes from an address where the endpoint was never seen is not told as its own, but that it came.
func TestStrangersOwnNothing(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, quick)
	c := newScene(t, s)
	openssl("-no-CAfile", "-no-CApath", "-no-CAstore")(c)
	d := c.await("never_seen")
	says(t, "summary", d.Summary, c.id, "ever reached", "DNS")
	says(t, "action", d.Action, "signalbox-agent doctor", harness.Domain)
	if len(d.Attempts) != 0 {
		t.Errorf("attempts = %+v", d.Attempts)
	}
	harness.Await(t, func() bool { d = c.diagnose(); return len(d.Also) > 0 }, func() string { return "nothing else is said" })
	if d.Also[0].Code != "strangers_refused" || !strings.Contains(d.Also[0].Summary, c.ip) || !strings.Contains(d.Also[0].Summary, "cert_unknown_ca") {
		t.Errorf("also = %+v", d.Also)
	}
}

// TestSharedAddress: of an address that several endpoints have, it is said that it is not known whose the attempt was.
func TestSharedAddress(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, quick)
	c, neighbour := newScene(t, s), newScene(t, s)
	neighbour.ip = c.ip
	c.home()
	neighbour.home()
	openssl("-no-CAfile", "-no-CApath", "-no-CAstore")(c)
	says(t, "summary", c.await("cert_unknown_ca").Summary, "A client at "+c.ip+", where "+c.id+" and 1 other endpoint were last seen,")
}

// TestMemoryOfHomesSurvivesARestart: attempts right after a restart are known as those of endpoints that were seen before.
func TestMemoryOfHomesSurvivesARestart(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, quick)
	c := newScene(t, s)
	c.home()
	s.Stop()
	s.Run()
	c.await("closed_by_endpoint")
	openssl("-no-CAfile", "-no-CApath", "-no-CAstore")(c)
	d := c.await("cert_unknown_ca")
	if len(d.Attempts) != 1 || d.Attempts[0].By != "address" || d.Attempts[0].Count != 1 {
		t.Errorf("attempts = %+v", d.Attempts)
	}
}

// hello is what a client says first in a TLS handshake.
func hello(t *testing.T, s *harness.Server) []byte {
	t.Helper()
	client, server := net.Pipe()
	defer server.Close()
	go func() { // ends when the pipe is closed
		_ = tls.Client(client, s.TLS()).Handshake()
		client.Close()
	}()
	b := make([]byte, 4096)
	n, err := server.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// stuck begins more handshakes than may run or wait, and goes on with none.
func stuck(c *scene) {
	first := hello(c.t, c.s)
	for range 3 {
		if _, err := c.tcp("tls").Write(first); err != nil {
			c.t.Fatal(err)
		}
	}
}

// crowd holds more connections than there may be.
func crowd(c *scene) {
	for range 4 {
		c.tcp("tls")
	}
}

// TestLimits: connections that are turned away.
func TestLimits(t *testing.T) {
	t.Parallel()
	for _, r := range []struct {
		row
		change func(*config.Config)
	}{
		{row{"per source", "throttled", crowd, []string{"one address", "$IP"}, []string{"listen.max_per_source"}},
			func(c *config.Config) { c.Listen.MaxPerSource = 2 }},
		{row{"in all", "too_many_connections", crowd, []string{"as many connections as it may"}, []string{"listen.max_connections"}},
			func(c *config.Config) { c.Listen.MaxConnections = 2 }},
		{row{"handshakes in a queue", "handshake_queue", stuck, []string{"too many connections waited for their TLS handshake"}, []string{"listen.handshake_queue"}},
			func(c *config.Config) {
				c.Listen.MaxHandshakes, c.Listen.HandshakeQueue, c.Listen.QueueTimeout = 1, 1, time.Second
			}},
		{row{"no PROXY header", "proxy_header_missing", raw("tls", "\x16\x03\x01"), []string{"PROXY", "$IP"}, []string{"load balancer"}}, nil},
		{row{"bad PROXY header", "proxy_header_bad", raw("tls", "PROXY TCP4 nonsense\r\n"), []string{"PROXY", "$IP"}, []string{"version 1 or 2"}}, nil},
	} {
		s := harness.New(t, quick)
		if r.change != nil {
			r.change(&s.Config)
		}
		s.Run()
		t.Cleanup(s.Stop)
		c := newScene(t, s)
		c.home()
		if r.change == nil {
			s.Stop()
			s.Config.Listen.TrustedProxies = []string{c.ip}
			s.Run()
		}
		t.Run(r.name, func(t *testing.T) {
			c.t = t
			r.play(c)
		})
	}
}
