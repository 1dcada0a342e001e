package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// NewEnrolment says which endpoints may enrol with a token. The zero value is a token for one endpoint that chooses its id, for a day.
type NewEnrolment struct {
	Endpoint string            `json:"endpoint,omitempty"` // the one that it is for; empty: open
	Prefix   string            `json:"prefix,omitempty"`   // of the ids of an open one
	Labels   map[string]string `json:"labels,omitempty"`
	Groups   []string          `json:"groups,omitempty"`
	Uses     int               `json:"uses,omitempty"`     // 0: 1
	Lifetime int               `json:"lifetime,omitempty"` // seconds; 0: a day
}

// Enrolment is a token with which endpoints enrol.
type Enrolment struct {
	ID        string            `json:"id"`
	Endpoint  string            `json:"endpoint,omitempty"`
	Prefix    string            `json:"prefix,omitempty"`
	Labels    map[string]string `json:"labels"`
	Groups    []string          `json:"groups"`
	Uses      int               `json:"uses"`
	Used      int               `json:"used"`
	State     string            `json:"state"` // open, used, expired
	MadeBy    string            `json:"made_by"`
	CreatedAt time.Time         `json:"created_at"`
	ExpiresAt time.Time         `json:"expires_at"`
	LastUseAt time.Time         `json:"last_use_at,omitzero"`
	Token     string            `json:"token,omitempty"` // only in the answer of Client.CreateEnrolment
}

const enrolments = "/v1/enrolments"

// CreateEnrolment makes a token. The request is not repeated once it may have arrived.
func (c *Client) CreateEnrolment(ctx context.Context, n NewEnrolment) (out Enrolment, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: enrolments, body: n}, &out)
	return out, err
}

// Enrolments returns a page of enrolments, the newest first. limit is 1 to 500, 0: 100; cursor is Next of the page before.
func (c *Client) Enrolments(ctx context.Context, limit int, cursor string) (out Page[Enrolment], err error) {
	q := url.Values{}
	if limit != 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	_, err = c.do(ctx, call{method: http.MethodGet, path: enrolments, query: q}, &out)
	return out, err
}

// RevokeEnrolment deletes an enrolment: its token is worth nothing from then on.
func (c *Client) RevokeEnrolment(ctx context.Context, id string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: enrolments + "/" + url.PathEscape(id)}, nil)
	return err
}
