package store

import (
	"encoding/json"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

// pushKinds are the kinds of event by the number of the state.
var pushKinds = func() (kinds [len(states)]string) {
	for i, s := range states {
		kinds[i] = "push." + string(s)
	}
	return kinds
}()

// pushEvent is the data of an event about a push: small, because there is one per change. What else is known of the push is read from its row.
func pushEvent(id push.ID, reason string) string {
	b := make([]byte, 0, 64)
	b = append(b, `{"push":"`...)
	b = append(b, id.String()...)
	b = append(b, '"')
	if reason != "" {
		b = append(b, `,"reason":`...)
		b = appendJSON(b, reason)
	}
	return string(append(b, '}'))
}

func appendJSON(b []byte, text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil {
		return append(b, `""`...) // a string can always be marshalled
	}
	return append(b, quoted...)
}

type presenceData struct {
	Reason     string `json:"reason,omitempty"`
	Resource   string `json:"resource,omitempty"`
	RemoteAddr string `json:"remote_addr,omitempty"`
	Via        string `json:"via,omitempty"`
	TLSVersion string `json:"tls_version,omitempty"`
}

func presenceKind(s endpoint.State) string { return "presence." + string(s) }

func presenceEvent(p endpoint.Presence) (string, error) {
	b, err := json.Marshal(presenceData{p.Reason, p.Resource, p.RemoteAddr, string(p.Via), p.TLSVersion})
	return string(b), err
}
