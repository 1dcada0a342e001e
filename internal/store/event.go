package store

import (
	"encoding/json"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

// Kinds of event as they are stored; a number never changes its meaning. A change of a push has the number of its new state, see codes.go.
const (
	kindOnline = int64(len(states)) + iota
	kindOffline
	kindNever
	kindDeleted
)

// event is one row of the outbox: small, because there is one per change. What else is known of a push is read from its row.
type event struct {
	seq, at, kind int64
	ep            int64   // the endpoint's number
	push          push.ID // 0: it is not about a push
	data          string  // of a push the reason, if there is one; else a JSON object
}

type presenceData struct {
	Reason     string `json:"reason,omitempty"`
	Resource   string `json:"resource,omitempty"`
	RemoteAddr string `json:"remote_addr,omitempty"`
	Via        string `json:"via,omitempty"`
	TLSVersion string `json:"tls_version,omitempty"`
}

func presenceKind(s endpoint.State) int64 {
	switch s {
	case endpoint.StateOnline:
		return kindOnline
	case endpoint.StateOffline:
		return kindOffline
	}
	return kindNever
}

func presenceEvent(p endpoint.Presence) (string, error) {
	b, err := json.Marshal(presenceData{p.Reason, p.Resource, p.RemoteAddr, string(p.Via), p.TLSVersion})
	return string(b), err
}
