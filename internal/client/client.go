// Package client is the Go client of the HTTP API, for the command line and for tests.
package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// DefaultTimeout bounds one request with its answer.
	DefaultTimeout = 30 * time.Second
	// maxAnswer bounds what is read of an answer: a page of 500 pushes, each with a result of 64 KiB, fits.
	maxAnswer = 64 << 20
)

// Options change how a Client talks. The zero value is fine for most.
type Options struct {
	Timeout   time.Duration // of one request; 0: DefaultTimeout
	TLS       *tls.Config   // for a private CA; nil: the system's
	UserAgent string        // empty: "signalbox"
	Tries     int           // how often a request that may be repeated is sent at most; 0: 4, 1: never repeated
}

// Client talks to one server. It is safe for concurrent use. The zero value is not usable.
type Client struct {
	base    string
	token   string
	agent   string
	tries   int
	http    *http.Client
	streams *http.Client // without a bound for the whole answer
}

// New returns a client of the API at baseURL, such as "http://127.0.0.1:8080". The token may be empty for what needs none. It opens no connection. No proxy
// of the environment is used: the API is an internal one, and proxies would see the token.
func New(baseURL, token string, opts Options) (*Client, error) {
	u, err := url.Parse(baseURL)
	if err != nil {
		return nil, errors.New("the URL of the API cannot be read: write it as http://HOST:8080")
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("the URL of the API must be http:// or https:// with a host, without user, query and fragment")
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the API token has characters that no token has")
	}
	c := &Client{
		base: strings.TrimRight(baseURL, "/"), token: token, agent: or(opts.UserAgent, "signalbox"), tries: or(opts.Tries, defaultTries),
		streams: &http.Client{
			Transport: &http.Transport{TLSClientConfig: opts.TLS, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute},
			// A redirect would carry the token to another place.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	bounded := *c.streams
	bounded.Timeout = or(opts.Timeout, DefaultTimeout)
	c.http = &bounded
	return c, nil
}

// Close closes the connections that wait to be used again.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// NewIdempotencyKey returns a key that nobody used before.
func NewIdempotencyKey() string { return rand.Text() }

func or[T comparable](v, standard T) T {
	var zero T
	if v == zero {
		return standard
	}
	return v
}

// call is one request.
type call struct {
	method string
	path   string
	query  url.Values
	body   any    // nil: none
	key    string // Idempotency-Key; empty: none
	accept []int  // statuses besides 2xx that are answers and no errors
}

// do sends a request, again if that is safe, and decodes the answer into out, which may be nil.
func (c *Client) do(ctx context.Context, r call, out any) (http.Header, error) {
	data, header, err := c.raw(ctx, r)
	if err != nil || out == nil {
		return header, err
	}
	if err := json.Unmarshal(data, out); err != nil {
		return header, fmt.Errorf("%s %s: the answer is not what the API promises: %w", r.method, r.path, err)
	}
	return header, nil
}

// raw sends a request, again if that is safe, and returns the body of the answer.
func (c *Client) raw(ctx context.Context, r call) ([]byte, http.Header, error) {
	var body []byte
	if r.body != nil {
		var err error
		if body, err = encode(r.body); err != nil {
			return nil, nil, fmt.Errorf("%s %s: write the request: %w", r.method, r.path, err)
		}
	}
	for try := 1; ; try++ {
		data, header, err := c.once(ctx, r, body)
		if err == nil || try >= c.tries || !r.repeatable(err) {
			return data, header, err
		}
		if errWait := pause(ctx, backoff(try, err)); errWait != nil {
			return data, header, err
		}
	}
}

// encode leaves a payload as its caller wrote it, where json.Marshal would write what HTML has a meaning for as escapes.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}

// once sends a request once. An answer that is an error is a *Problem.
func (c *Client) once(ctx context.Context, r call, body []byte) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, c.target(r), bytes.NewReader(body))
	if err != nil {
		return nil, nil, fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	c.dress(req, r)
	res, err := c.http.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("call the API: %w", err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, nil, fmt.Errorf("%s %s: read the answer: %w", r.method, r.path, err)
	}
	if len(data) > maxAnswer {
		return nil, nil, fmt.Errorf("%s %s: the answer has more than %d bytes", r.method, r.path, maxAnswer)
	}
	if res.StatusCode/100 == 2 || r.accepts(res) {
		return data, res.Header, nil
	}
	return nil, res.Header, newProblem(res, data)
}

func (r call) accepts(res *http.Response) bool {
	for _, status := range r.accept {
		if status == res.StatusCode && !isProblem(res) {
			return true
		}
	}
	return false
}

func (c *Client) target(r call) string {
	if len(r.query) == 0 {
		return c.base + r.path
	}
	return c.base + r.path + "?" + r.query.Encode()
}

func (c *Client) dress(req *http.Request, r call) {
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("Accept", "application/json, application/problem+json")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
}
