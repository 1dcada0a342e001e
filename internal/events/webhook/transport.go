package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"
)

const (
	maxAnswerBytes  = 64 << 10 // that are read of an answer, so that its connection can be used again
	maxHeaderBytes  = 16 << 10
	connectTimeout  = 10 * time.Second
	keepConnections = time.Minute
)

// target is where events of one receiver go.
type target struct {
	url     *url.URL
	address string // IP address to connect to in place of what the URL's host resolves to; empty: that
	guard   guard
	roots   *x509.CertPool // nil: those of the system
	timeout time.Duration  // of one attempt
	idle    int            // connections that wait for the next event
}

// client makes the HTTP client for a target: no proxy, no redirects, no addresses that the guard refuses.
func (t target) client() *http.Client {
	d := net.Dialer{Timeout: connectTimeout, ControlContext: t.guard.control}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if t.address != "" {
					_, port, err := net.SplitHostPort(addr)
					if err != nil {
						return nil, err
					}
					addr = net.JoinHostPort(t.address, port)
				}
				return d.DialContext(ctx, network, addr)
			},
			TLSClientConfig:     &tls.Config{RootCAs: t.roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: connectTimeout, MaxIdleConnsPerHost: t.idle, IdleConnTimeout: keepConnections, DisableCompression: true,
			MaxResponseHeaderBytes: maxHeaderBytes,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// message is one event as it goes over the wire.
type message struct {
	id   string // header webhook-id
	body []byte
}

// answer is what came back.
type answer struct {
	status int
	fault  Fault
	retry  time.Duration // that the receiver asks to wait; 0: it does not
	took   time.Duration
}

// send makes one attempt. An error is ours, or ctx ended; all else is in the answer.
func (t target) send(ctx context.Context, c *http.Client, keys []Key, m message) (answer, error) {
	began := time.Now()
	req, err := t.request(keys, m, began)
	if err != nil {
		return answer{}, err
	}
	attempt, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	res, err := c.Do(req.WithContext(attempt))
	if ctx.Err() != nil {
		if err == nil {
			err = res.Body.Close()
		}
		return answer{}, errors.Join(ctx.Err(), err)
	}
	if err != nil {
		return answer{fault: FaultOf(err, t.url.Host), took: time.Since(began)}, nil
	}
	// What is longer than the limit, or breaks off, costs the connection and changes nothing: the status has come.
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswerBytes))
	_ = res.Body.Close()
	now := time.Now()
	return answer{status: res.StatusCode, fault: faultOfStatus(res.StatusCode), retry: retryAfter(res.Header, now), took: now.Sub(began)}, nil
}

func (t target) request(keys []Key, m message, now time.Time) (*http.Request, error) {
	signature, err := signatures(keys, m.id, now, m.body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest(http.MethodPost, t.url.String(), bytes.NewReader(m.body))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "signalbox", "Webhook-Id": m.id, "Webhook-Timestamp": strconv.FormatInt(now.Unix(), 10),
		"Webhook-Signature": signature,
	} {
		req.Header.Set(name, value)
	}
	req.Header["Idempotency-Key"] = nil // not sent: net/http may send again what went into a connection that was just closed, as we would
	return req, nil
}

// LoadRoots returns the system's certificate authorities and those in a PEM file; nil, which stands for the system's, where path is empty.
func LoadRoots(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // a machine without any
	}
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: no certificate in it; give those of the authorities in PEM form", path)
	}
	return roots, nil
}
