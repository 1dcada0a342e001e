package client

import (
	"context"
	"net/http"
	"time"
)

// Drain is how far a server is with sending endpoints away.
type Drain struct {
	State    string    `json:"state"` // serving, draining, drained, stopping
	Reason   string    `json:"reason,omitempty"`
	Since    time.Time `json:"since,omitzero"`
	Until    time.Time `json:"until,omitzero"` // when the last endpoint is told
	Sessions int       `json:"sessions"`       // streams that were open when it began
	Left     int       `json:"left"`           // that still are
}

// StartDrain sends endpoints away over a period, in whole seconds; 0: the one of the server's configuration. Reason may be empty.
func (c *Client) StartDrain(ctx context.Context, period time.Duration, reason string) (out Drain, err error) {
	body := struct {
		Period int64  `json:"period,omitempty"`
		Reason string `json:"reason,omitempty"`
	}{int64(period / time.Second), reason}
	_, err = c.do(ctx, call{method: http.MethodPost, path: "/v1/drain", body: body}, &out)
	return out, err
}

// Drain tells how far it is.
func (c *Client) Drain(ctx context.Context) (out Drain, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/v1/drain"}, &out)
	return out, err
}

// UndoDrain lets endpoints come again.
func (c *Client) UndoDrain(ctx context.Context) (out Drain, err error) {
	_, err = c.do(ctx, call{method: http.MethodDelete, path: "/v1/drain"}, &out)
	return out, err
}
