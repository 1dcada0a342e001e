package events

import (
	"bytes"
	"encoding/json"
)

// PushData is the Data of events of pushes.
type PushData struct {
	ID     string          `json:"id"`               // as in Event.Push
	To     string          `json:"to"`               // id of the endpoint
	Type   string          `json:"type,omitempty"`   // of the push; empty when the push is not kept any more
	State  string          `json:"state"`            // that the push came into, which is its type's second word
	Reason string          `json:"reason,omitempty"` // why
	By     string          `json:"by,omitempty"`     // id of the newer push, in the event of replaced
	Fanout string          `json:"fanout,omitempty"` // id of the push to several endpoints that it is a target of
	Result json.RawMessage `json:"result,omitempty"` // what the endpoint answered, in the events of handled and failed
}

// Encode returns v as one line of JSON, for the Data of an event. What is JSON in it already stands there as it was written, but for white space.
func Encode(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
