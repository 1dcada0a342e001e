package client

import (
	"context"
	"net/http"
)

// MaxBatch is how many endpoints a batch has at most.
const MaxBatch = 10000

// BatchItem is one endpoint of a batch.
type BatchItem struct {
	ID      string            `json:"id"`
	Secret  string            `json:"secret,omitempty"` // empty, and without SCRAM: the server makes one for an endpoint that is new
	SCRAM   []Verifier        `json:"scram,omitempty"`  // in place of a secret: at most one for each mechanism
	Labels  map[string]string `json:"labels,omitempty"`
	Groups  []string          `json:"groups,omitempty"`
	Enabled *bool             `json:"enabled,omitempty"` // nil: enabled, or as it is
}

// Verifier is what another server kept of a password for SCRAM.
type Verifier struct {
	Mechanism  string `json:"mechanism"` // SCRAM-SHA-256, SCRAM-SHA-1
	Iterations int    `json:"iterations"`
	Salt       string `json:"salt"` // base64, as the keys
	StoredKey  string `json:"stored_key"`
	ServerKey  string `json:"server_key"`
}

// SavedEndpoints says what became of each item, in their order.
type SavedEndpoints struct {
	Created  int           `json:"created"`
	Updated  int           `json:"updated"`
	Existing int           `json:"existing"`
	Failed   int           `json:"failed"`
	Items    []BatchedItem `json:"items"`
}

// BatchedItem is what became of one item.
type BatchedItem struct {
	ID      string   `json:"id"`
	Result  string   `json:"result"`            // created, updated, exists, failed
	Secret  string   `json:"secret,omitempty"`  // only where the server made it
	Problem *Problem `json:"problem,omitempty"` // why it failed
}

// SaveEndpoints registers up to MaxBatch endpoints. onExisting is fail, skip or update; empty means fail. That some failed is no error.
func (c *Client) SaveEndpoints(ctx context.Context, items []BatchItem, onExisting string) (out SavedEndpoints, err error) {
	body := struct {
		Endpoints  []BatchItem `json:"endpoints"`
		OnExisting string      `json:"on_existing,omitempty"`
	}{items, onExisting}
	_, err = c.do(ctx, call{method: http.MethodPost, path: "/v1/endpoints/batch", body: body}, &out)
	return out, err
}
