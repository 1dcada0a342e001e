package path

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"signalbox/internal/agent/ladder"
)

// maxProxyAnswer bounds the head of a proxy's answer.
const maxProxyAnswer = 16 << 10

// tunnel asks the proxy at the other end of conn for a way to address (RFC 9110 section 9.3.6), and returns a connection to that. It closes conn if it fails.
func (p Proxy) tunnel(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, proxyTimeout)
	defer cancel()
	through, failure := p.ask(ctx, conn, address)
	if failure != nil {
		conn.Close()
		return nil, failure
	}
	return through, nil
}

func (p Proxy) ask(ctx context.Context, conn net.Conn, address string) (net.Conn, *ladder.Failure) {
	if !ValidAddress(address) {
		return nil, ladder.New(ladder.NameUnknown, fmt.Sprintf("%q is no address", address), nil)
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := io.WriteString(conn, p.request(address)); err != nil {
		return nil, ladder.New(ladder.ProxySilent, p.String(), err)
	}
	limited := &io.LimitedReader{R: conn, N: maxProxyAnswer}
	r := bufio.NewReader(limited)
	answer, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
	switch {
	case err != nil && (isTimeout(err) || isClosed(err)):
		return nil, ladder.New(ladder.ProxySilent, p.String(), err)
	case err != nil:
		return nil, ladder.New(ladder.ProxyForeign, p.String(), err)
	case answer.StatusCode/100 != 2:
		return nil, p.refused(answer)
	}
	if !stop() {
		return nil, ladder.New(ladder.ProxySilent, p.String(), context.Cause(ctx))
	}
	early, _ := r.Peek(r.Buffered()) // what came behind the answer belongs to the tunnel
	return &tunneled{Conn: conn, early: early}, nil
}

func (p Proxy) request(address string) string {
	text := "CONNECT " + address + " HTTP/1.1\r\nHost: " + address + "\r\nUser-Agent: signalbox-agent\r\n"
	if p.user != "" || p.password != "" {
		text += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(p.user+":"+p.password)) + "\r\n"
	}
	return text + "\r\n"
}

// refused says why the proxy opens no tunnel.
func (p Proxy) refused(answer *http.Response) *ladder.Failure {
	detail := fmt.Sprintf("%s answers %s", p, ladder.Clean(answer.Status))
	reason := ladder.ProxyRefused
	switch answer.StatusCode {
	case http.StatusProxyAuthRequired:
		schemes := schemesOf(answer.Header.Values("Proxy-Authenticate"))
		switch {
		case len(schemes) > 0 && !slices.Contains(schemes, "basic"):
			reason = ladder.ProxyOtherLogin
			detail += ", and wants " + strings.Join(schemes, ", ")
		case p.user == "" && p.password == "":
			reason = ladder.ProxyWantsLogin
		default:
			reason = ladder.ProxyWrongLogin
		}
	case http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusUnavailableForLegalReasons:
		reason = ladder.ProxyForbidden
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		reason = ladder.ProxyNoWay
	}
	return ladder.New(reason, detail, nil)
}

// maxSchemes bounds how many kinds of login of a proxy are named.
const maxSchemes = 8

// schemesOf returns the kinds of login in Proxy-Authenticate headers, in small letters: of each challenge the first word (RFC 9110 section 11.6.1).
func schemesOf(headers []string) (schemes []string) {
	for _, h := range headers {
		for part := range strings.SplitSeq(h, ",") {
			scheme, _, _ := strings.Cut(strings.TrimSpace(part), " ")
			if scheme = strings.ToLower(ladder.Clean(scheme)); scheme != "" && !strings.ContainsRune(scheme, '=') && len(schemes) < maxSchemes {
				schemes = append(schemes, scheme)
			}
		}
	}
	return schemes
}

// secure makes TLS with the proxy itself.
func (p Proxy) secure(ctx context.Context, conn net.Conn, roots *x509.CertPool) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, tlsTimeout)
	defer cancel()
	secured := tls.Client(conn, &tls.Config{ServerName: p.Host(), MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, RootCAs: roots})
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		reason := ladder.ProxyTLS
		var record tls.RecordHeaderError
		switch {
		case errors.As(err, &record):
			reason = ladder.ProxyForeign
		case isTimeout(err) || isClosed(err):
			reason = ladder.ProxySilent
		}
		return nil, ladder.New(reason, p.String(), err)
	}
	return secured, nil
}

// tunneled is a connection through a proxy, with what the proxy sent behind its answer.
type tunneled struct {
	net.Conn
	early []byte
}

// Read returns what came early, then what comes.
func (t *tunneled) Read(b []byte) (int, error) {
	if len(t.early) == 0 {
		return t.Conn.Read(b)
	}
	n := copy(b, t.early)
	t.early = t.early[n:]
	return n, nil
}
