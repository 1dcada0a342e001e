package listen

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"regexp"
)

// maxRequest bounds what is read of a plain HTTP request.
const maxRequest = 8 << 10

// redirect answers one request of plain HTTP with the same address on https, and closes. 308 keeps the method and the body of
// whatever was asked (RFC 9110 section 15.4.9); nothing is ever served in plain text. Without a usable Host the answer is 400.
func (v *visit) redirect() error {
	limited := &io.LimitedReader{R: v.c, N: maxRequest}
	req, err := http.ReadRequest(bufio.NewReaderSize(limited, 2<<10))
	if err != nil {
		return refuse(requestReason(err, limited.N), err)
	}
	answer := "HTTP/1.1 400 Bad Request\r\n"
	if location, ok := v.server.httpsLocation(req); ok {
		answer = "HTTP/1.1 308 Permanent Redirect\r\nLocation: " + location + "\r\n"
	}
	if _, err := io.WriteString(v.c, answer+"Content-Length: 0\r\nConnection: close\r\n\r\n"); err != nil {
		return refuse(ClosedEarly, err)
	}
	// A close with unread bytes resets the connection, and the answer may be lost with it: the client closes first if it likes.
	if closeWrite(v.c) == nil {
		_, _ = io.Copy(io.Discard, limited) // whatever it is, it is over
	}
	return refuse(Redirected, nil)
}

// requestReason returns the reason for a request that could not be read; room is what is left of maxRequest.
func requestReason(err error, room int64) Reason {
	var failed *net.OpError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return NoFirstByte
	case room == 0:
		return UnknownProtocol
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &failed):
		return ClosedEarly
	}
	return UnknownProtocol
}

// hostPattern is what may stand in a Host header of ours: letters, digits, hyphens and dots.
var hostPattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)

// httpsLocation returns the address on the first TLS port.
func (s *Server) httpsLocation(req *http.Request) (string, bool) {
	host := req.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if a, err := netip.ParseAddr(trimBrackets(host)); err == nil && a.Is6() && a.Zone() == "" {
		host = "[" + a.String() + "]"
	} else if !hostPattern.MatchString(host) {
		return "", false
	}
	if port := s.tlsPort(); port != "443" {
		host += ":" + port
	}
	path := req.URL.EscapedPath()
	if path == "" || path[0] != '/' {
		return "", false
	}
	if req.URL.RawQuery != "" {
		path += "?" + req.URL.RawQuery
	}
	return fmt.Sprintf("https://%s%s", host, path), true
}

func trimBrackets(host string) string {
	if len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']' {
		return host[1 : len(host)-1]
	}
	return host
}

// tlsPort returns the port of the first TLS listener, 443 if there is none.
func (s *Server) tlsPort() string {
	for _, p := range s.ports {
		if p.name != nameTLS {
			continue
		}
		if _, port, err := net.SplitHostPort(p.addr); err == nil {
			return port
		}
	}
	return "443"
}
