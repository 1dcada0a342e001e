package path

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"signalbox/internal/agent/ladder"
)

// clockTimeout bounds the question for the server's time.
const clockTimeout = 10 * time.Second

var errNoTime = errors.New("no answer with a time")

// ServerTime asks the HTTP server on a route with TLS from the first byte for its time (the Date header, RFC 9110 section 6.6.1), which is right to a second or two. The
// certificate must be right but for its validity, which is what the time may be asked for.
func (f *Finder) ServerTime(ctx context.Context, r Route) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, clockTimeout)
	defer cancel()
	conn, err := f.connect(ctx, r, func(ladder.Step, string) {})
	if err != nil {
		return time.Time{}, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	secured := tls.Client(conn, f.timeless())
	if err := secured.HandshakeContext(ctx); err != nil {
		return time.Time{}, err
	}
	if _, err := io.WriteString(secured, "HEAD / HTTP/1.1\r\nHost: "+f.Domain+"\r\nUser-Agent: signalbox-agent\r\nConnection: close\r\n\r\n"); err != nil {
		return time.Time{}, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(io.LimitReader(secured, maxProxyAnswer)), &http.Request{Method: http.MethodHead})
	if err != nil {
		return time.Time{}, err
	}
	t, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		return time.Time{}, errNoTime
	}
	return t, nil
}

// timeless verifies the server's certificate as of a moment at which all that it showed was valid.
func (f *Finder) timeless() *tls.Config {
	cfg := f.TLS.Clone()
	cfg.NextProtos = []string{"http/1.1"}
	cfg.InsecureSkipVerify = true // VerifyConnection does it
	cfg.VerifyConnection = func(state tls.ConnectionState) error {
		leaf := state.PeerCertificates[0]
		opts := x509.VerifyOptions{DNSName: f.TLS.ServerName, Roots: f.TLS.RootCAs, Intermediates: x509.NewCertPool(), CurrentTime: leaf.NotBefore}
		for _, c := range state.PeerCertificates[1:] {
			opts.Intermediates.AddCert(c)
			if c.NotBefore.After(opts.CurrentTime) {
				opts.CurrentTime = c.NotBefore
			}
		}
		_, err := leaf.Verify(opts)
		return err
	}
	return cfg
}

// doubtClock looks, where a certificate seems not to be valid now, whether it is the clock of this machine that is wrong.
func (f *Finder) doubtClock(ctx context.Context, r Route, err error) error {
	var failure *ladder.Failure
	if !errors.As(err, &failure) || failure.Code != ladder.CertExpired.Code && failure.Code != ladder.CertNotYetValid.Code {
		return err
	}
	var invalid x509.CertificateInvalidError
	theirs, timeErr := f.ServerTime(ctx, r)
	if timeErr != nil || !errors.As(err, &invalid) || theirs.Before(invalid.Cert.NotBefore) || theirs.After(invalid.Cert.NotAfter) {
		return err
	}
	return ladder.New(ladder.ClockWrong, Skew(time.Now(), theirs), failure.Err)
}

// Skew says by how much the time here is off from the server's.
func Skew(here, theirs time.Time) string {
	off, word := theirs.Sub(here).Round(time.Second), "behind"
	if off < 0 {
		off, word = -off, "ahead"
	}
	if off > time.Hour {
		off = off.Round(time.Minute)
	}
	return fmt.Sprintf("it is %s here and %s on the server: %v %s", at(here), at(theirs), off, word)
}
