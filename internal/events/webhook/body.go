package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"signalbox/internal/events"
)

// payload is the body of a request, Standard Webhooks, "Payload structure".
type payload struct {
	Type      events.Type                `json:"type"`
	Timestamp time.Time                  `json:"timestamp"`
	Data      map[string]json.RawMessage `json:"data"`
}

// messageOf makes the message of an event: its data, and beside it its number and what it is about.
func messageOf(e events.Event) (message, error) {
	data := map[string]json.RawMessage{}
	if len(e.Data) > 0 {
		if err := json.Unmarshal(e.Data, &data); err != nil {
			return message{}, fmt.Errorf("data of event %d: %w", e.Seq, err)
		}
	}
	about := map[string]any{"seq": e.Seq}
	if e.Endpoint != "" {
		about["endpoint"] = e.Endpoint
	}
	return encode(e.ID(), e.Type, e.At, data, about)
}

// encode writes a message of data and more fields of it. Text of endpoints stays as they wrote it.
func encode(id string, t events.Type, at time.Time, data map[string]json.RawMessage, more map[string]any) (message, error) {
	for name, v := range more {
		text, err := json.Marshal(v)
		if err != nil {
			return message{}, fmt.Errorf("write %s of %s: %w", name, t, err)
		}
		data[name] = text
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(payload{t, at.UTC(), data}); err != nil {
		return message{}, fmt.Errorf("write %s: %w", t, err)
	}
	return message{id: id, body: bytes.TrimSuffix(b.Bytes(), []byte("\n"))}, nil
}
