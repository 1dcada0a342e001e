package client

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// AuditEntry is one act of the audit trail.
type AuditEntry struct {
	Seq     int64           `json:"seq"`
	At      time.Time       `json:"at"`
	Actor   string          `json:"actor"`  // token:management, technician:ann, endpoint:pc-1, local:root, server
	Action  string          `json:"action"` // session.ended, ...
	Subject string          `json:"subject,omitempty"`
	Detail  json.RawMessage `json:"detail"`
	Prev    string          `json:"prev"`
	Hash    string          `json:"hash"`
}

// AuditFilter selects entries. The zero value selects the newest.
type AuditFilter struct {
	Actor   string
	Action  string // its name, or its beginning with the dot, such as session.
	Subject string
	From    time.Time // at or after it; zero: from the first
	Until   time.Time // before it; zero: up to now
	Limit   int       // 1..500; 0: 100
	Cursor  string    // Next of the page before
}

// Audit returns a page of the audit trail, the newest entries first.
func (c *Client) Audit(ctx context.Context, f AuditFilter) (out Page[AuditEntry], err error) {
	values := map[string]string{"actor": f.Actor, "action": f.Action, "subject": f.Subject, "cursor": f.Cursor}
	for name, t := range map[string]time.Time{"from": f.From, "until": f.Until} {
		if !t.IsZero() {
			values[name] = t.UTC().Format(time.RFC3339Nano)
		}
	}
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/v1/audit", query: given(values, f.Limit)}, &out)
	return out, err
}
