package path

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"signalbox/internal/agent/ladder"
)

// finder returns one for the domain that trusts the authorities in caFile.
func finder(t *testing.T, caFile string) *Finder {
	t.Helper()
	cfg, roots, err := TLSConfig(testDomain, caFile)
	must(t, err)
	r := nameServer(t)
	return &Finder{Domain: testDomain, TLS: cfg, Roots: roots, DNS: r, Dial: (&net.Dialer{Resolver: r}).DialContext}
}

// wantFailure checks the code and that the sentence is the reason's with these pieces of what was seen.
func wantFailure(t *testing.T, err error, want ladder.Reason, pieces ...string) {
	t.Helper()
	f := ladder.Of(err)
	if f == nil {
		t.Fatalf("failure %v, want %s", err, want.Code)
	}
	if f.Code != want.Code {
		t.Errorf("code %s (%v), want %s", f.Code, err, want.Code)
	}
	sentence := f.Sentence()
	if !strings.HasPrefix(sentence, strings.TrimSuffix(want.Text, ".")) {
		t.Errorf("sentence %q, want it to begin with %q", sentence, want.Text)
	}
	for _, p := range pieces {
		if !strings.Contains(sentence, p) {
			t.Errorf("sentence %q, want %q in it", sentence, p)
		}
	}
	if strings.Contains(sentence+err.Error(), "hunter2") {
		t.Errorf("%q shows the password", sentence)
	}
}

func TestAddressFailures(t *testing.T) {
	_, port, _ := net.SplitHostPort(closedPort)
	for _, tt := range []struct {
		name, address string
		want          ladder.Reason
		piece         string
	}{
		{"name not in DNS", "xmpp.example.invalid:443", ladder.NameUnknown, "xmpp.example.invalid"},
		{"DNS fails", "xmpp.example.broken:443", ladder.NoDNS, "xmpp.example.broken"},
		{"port refused", closedPort, ladder.PortRefused, closedPort},
		{"port refused at a name", "xmpp.example.ok:" + port, ladder.PortRefused, "127.0.0.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := finder(t, "").Open(t.Context(), To(tt.address), nil)
			wantFailure(t, err, tt.want, tt.piece)
		})
	}
}

// What the kernel says where nothing can be injected without rights on the machine's firewall. TestFilteredPort has a real one.
func TestErrorsOfTheKernel(t *testing.T) {
	op := func(errno syscall.Errno) error { return &net.OpError{Op: "dial", Net: "tcp", Err: errno} }
	for _, tt := range []struct {
		name string
		err  error
		want ladder.Reason
	}{
		{"no route", op(syscall.EHOSTUNREACH), ladder.Unreachable},
		{"no network", op(syscall.ENETUNREACH), ladder.Unreachable},
		{"forbidden by the local firewall", op(syscall.EPERM), ladder.Forbidden},
		{"forbidden by a router", op(syscall.EACCES), ladder.Forbidden},
		{"no answer", op(syscall.ETIMEDOUT), ladder.PortFiltered},
	} {
		t.Run(tt.name, func(t *testing.T) { wantFailure(t, unreached("x:443", tt.err), tt.want, "x:443") })
	}
}

func TestTLSFailures(t *testing.T) {
	ours, corp, mitm := newAuthority(t, "Ours"), newAuthority(t, "Corp Inspection CA"), newAuthority(t, "Zscaler Root CA")
	impostor := newAuthority(t, "Ours")
	year := 365 * 24 * time.Hour
	good := ours.issue(testDomain, -year, year)
	speak := func(cert tls.Certificate, change func(*tls.Config)) func(net.Conn) {
		cfg := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{ALPN}}
		if change != nil {
			change(cfg)
		}
		return func(conn net.Conn) {
			if tls.Server(conn, cfg).Handshake() == nil {
				_, _ = io.Copy(io.Discard, conn) // until the agent has seen it
			}
		}
	}
	for _, tt := range []struct {
		name   string
		caFile string
		serve  func(net.Conn)
		want   ladder.Reason // zero: it works
		pieces []string
	}{
		{name: "right", caFile: ours.File, serve: speak(good, nil)},
		{name: "right without ALPN", caFile: ours.File, serve: speak(good, func(c *tls.Config) { c.NextProtos = nil })},
		{"another issuer than ca_file", ours.File, speak(corp.issue(testDomain, -year, year), nil), ladder.Intercepted, []string{"Corp Inspection CA", "SHA-256"}},
		{"inspection by a product", ours.File, speak(mitm.issue(testDomain, -year, year), nil), ladder.Intercepted, []string{"Zscaler Root CA", "the name that Zscaler gives"}},
		{"inspection by a product, system's authorities", "", speak(mitm.issue(testDomain, -year, year), nil), ladder.Intercepted, []string{"Zscaler"}},
		{"same name, another key", ours.File, speak(impostor.issue(testDomain, -year, year), nil), ladder.UnknownCA, []string{"of that name, with another key"}},
		{"private authority, system's trusted", "", speak(good, nil), ladder.UnknownCA, []string{`"CN=Ours"`}},
		{"self-signed", ours.File, speak(ours.selfSigned(testDomain), nil), ladder.SelfSigned, []string{"CN=" + testDomain}},
		{"expired", ours.File, speak(ours.issue(testDomain, -2*year, -time.Hour), nil), ladder.CertExpired, []string{"was valid until"}},
		{"not yet valid", ours.File, speak(ours.issue(testDomain, time.Hour, year), nil), ladder.CertNotYetValid, []string{"is valid from"}},
		{"wrong name", ours.File, speak(ours.issue("other.example", -year, year), nil), ladder.WrongName, []string{"other.example", "not for " + testDomain}},
		{"h2 alone", ours.File, speak(good, func(c *tls.Config) { c.NextProtos = []string{"h2"} }), ladder.NoALPN, nil},
		{"TLS 1.1", ours.File, speak(good, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }), ladder.TLSTooOld, nil},
		{"old server that answers TLS 1.1", ours.File, answer(serverHello11), ladder.TLSTooOld, nil},
		{"no TLS", ours.File, answer([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")), ladder.NotTLS, nil},
		{"closed in the handshake", ours.File, answer(nil), ladder.TLSClosed, nil},
		{"no certificate for the name", ours.File, speak(good, func(c *tls.Config) {
			c.Certificates, c.GetCertificate = nil, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }
		}), ladder.NoCertificate, []string{testDomain}},
		{"no cipher suite in common", ours.File, speak(good, func(c *tls.Config) {
			c.CipherSuites, c.MaxVersion = []uint16{tls.TLS_RSA_WITH_RC4_128_SHA}, tls.VersionTLS12
		}),
			ladder.TLSRefused, []string{"handshake failure"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := finder(t, tt.caFile).Open(t.Context(), Route{Address: serve(t, tt.serve), Direct: true}, nil)
			if tt.want.Code == "" {
				must(t, err)
				conn.Close()
				return
			}
			wantFailure(t, err, tt.want, tt.pieces...)
		})
	}
}

// answer takes the beginning of what comes, writes text and hangs up.
func answer(text []byte) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := conn.Read(make([]byte, 4096)); err == nil {
			_, _ = conn.Write(text)
		}
	}
}

// serverHello11 is a hello of TLS 1.1 (RFC 4346) with an empty session and a cipher suite of that time, as servers of that time send it whatever they are offered.
var serverHello11 = append(append([]byte{22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2}, make([]byte, 32)...), 0, 0xc0, 0x13, 0)

// A clock that is wrong is told from a certificate that is: the server's own time decides.
func TestClockThatIsWrong(t *testing.T) {
	ours := newAuthority(t, "Ours")
	day := 24 * time.Hour
	for _, tt := range []struct {
		name     string
		from, to time.Duration
		server   time.Duration // the server's clock, from ours
		want     ladder.Reason
		piece    string
	}{
		{"behind", 10 * day, 20 * day, 15 * day, ladder.ClockWrong, "360h0m0s behind"},
		{"ahead", -20 * day, -10 * day, -15 * day, ladder.ClockWrong, "360h0m0s ahead"},
		{"the certificate is old", -20 * day, -10 * day, 0, ladder.CertExpired, ""},
		{"the server's clock is wrong, too", -20 * day, -10 * day, -5 * day, ladder.CertExpired, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := &tls.Config{Certificates: []tls.Certificate{ours.issue(testDomain, tt.from, tt.to)}, NextProtos: []string{ALPN, "http/1.1"}}
			address := serve(t, func(conn net.Conn) {
				secured := tls.Server(conn, cfg)
				if _, err := http.ReadRequest(bufio.NewReader(secured)); err == nil {
					_, _ = io.WriteString(secured, "HTTP/1.1 302 Found\r\nDate: "+time.Now().Add(tt.server).UTC().Format(http.TimeFormat)+"\r\nContent-Length: 0\r\n\r\n")
				}
			})
			_, err := finder(t, ours.File).Open(t.Context(), Route{Address: address, Direct: true}, nil)
			wantFailure(t, err, tt.want, tt.piece)
		})
	}
}

// An authority that is not trusted is not believed about the time either.
func TestServerTimeVerifiesTheCertificate(t *testing.T) {
	ours, other := newAuthority(t, "Ours"), newAuthority(t, "Other")
	cfg := &tls.Config{Certificates: []tls.Certificate{other.issue(testDomain, -time.Hour, time.Hour)}}
	address := serve(t, func(conn net.Conn) { _ = tls.Server(conn, cfg).Handshake() }) // the client refuses
	if at, err := finder(t, ours.File).ServerTime(t.Context(), Route{Address: address, Direct: true}); err == nil {
		t.Errorf("ServerTime = %v from a server that is not trusted", at)
	}
}
