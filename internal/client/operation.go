package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Token is an API token.
type Token struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Scopes    []string  `json:"scopes"`
	CreatedAt time.Time `json:"created_at"`
	Token     string    `json:"token,omitempty"` // the token itself, only in the answer of CreateToken
}

// Certificate is one bundle that the server loaded.
type Certificate struct {
	File      string    `json:"file"`
	Names     []string  `json:"names"`
	Issuer    string    `json:"issuer,omitempty"`
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	SHA1      string    `json:"sha1,omitempty"`
	SHA256    string    `json:"sha256,omitempty"`
	Serving   bool      `json:"serving"`
	Problems  []string  `json:"problems,omitempty"`
}

// Readiness says whether the server can do its work.
type Readiness struct {
	Ready  bool    `json:"ready"`
	Checks []Check `json:"checks"`
}

// Check is one condition of readiness.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Reason string `json:"reason,omitempty"`
}

// Version says what runs.
type Version struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Go      string `json:"go,omitempty"`
	OS      string `json:"os,omitempty"`
	Arch    string `json:"arch,omitempty"`
}

// CreateToken makes an API token; it is shown in this answer alone.
func (c *Client) CreateToken(ctx context.Context, name string, scopes ...string) (out Token, err error) {
	body := struct {
		Name   string   `json:"name"`
		Scopes []string `json:"scopes"`
	}{name, append([]string{}, scopes...)}
	_, err = c.do(ctx, call{method: http.MethodPost, path: "/v1/tokens", body: body}, &out)
	return out, err
}

// Tokens returns all API tokens by name.
func (c *Client) Tokens(ctx context.Context) ([]Token, error) {
	var out Page[Token]
	_, err := c.do(ctx, call{method: http.MethodGet, path: "/v1/tokens"}, &out)
	return out.Items, err
}

// RevokeToken revokes the token with this id or name.
func (c *Client) RevokeToken(ctx context.Context, idOrName string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: "/v1/tokens/" + url.PathEscape(idOrName)}, nil)
	return err
}

// Certificates returns the loaded bundles.
func (c *Client) Certificates(ctx context.Context) ([]Certificate, error) {
	var out Page[Certificate]
	_, err := c.do(ctx, call{method: http.MethodGet, path: "/v1/certs"}, &out)
	return out.Items, err
}

// Live returns nil if the process answers.
func (c *Client) Live(ctx context.Context) error {
	_, err := c.do(ctx, call{method: http.MethodGet, path: "/livez"}, nil)
	return err
}

// Ready returns the server's checks; one that is not well is no error.
func (c *Client) Ready(ctx context.Context) (out Readiness, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/readyz", accept: []int{http.StatusServiceUnavailable}}, &out)
	return out, err
}

// Version returns what runs.
func (c *Client) Version(ctx context.Context) (out Version, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/version"}, &out)
	return out, err
}

// Metrics returns the text that Prometheus reads.
func (c *Client) Metrics(ctx context.Context) ([]byte, error) {
	data, _, err := c.raw(ctx, call{method: http.MethodGet, path: "/metrics"})
	return data, err
}

// OpenAPI returns the description of the API.
func (c *Client) OpenAPI(ctx context.Context) ([]byte, error) {
	data, _, err := c.raw(ctx, call{method: http.MethodGet, path: "/openapi.json"})
	return data, err
}
