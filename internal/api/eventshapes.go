package api

import (
	"bytes"
	"encoding/json"
	"time"

	"signalbox/internal/events"
)

type eventBody struct {
	_         struct{}        `additionalProperties:"true"`
	ID        string          `json:"id" example:"evt_0123456789abc" doc:"The same wherever the event is handed on."`
	Seq       int64           `json:"seq" doc:"Number, greater than that of all events before; some numbers are missing."`
	Type      events.Type     `json:"type" example:"push.delivered"`
	Timestamp time.Time       `json:"timestamp" doc:"When it happened."`
	Endpoint  string          `json:"endpoint,omitempty" doc:"What it happened to; absent: the server."`
	Push      string          `json:"push,omitempty" doc:"What it happened to; absent: no push."`
	Data      json.RawMessage `json:"data" doc:"What is known of it, an object. Of a push: id, to, type, state, reason, fanout (the push to several endpoints that it is a target of), and result, what the endpoint answered. Of a presence: reason, resource, remote_addr, via, tls_version. Of an endpoint that was created or updated: enabled, labels, groups, changed. Of a campaign: id, name, state, reason, targets, sent. Of a TURN session: id, endpoints, technician, opened_by, expires_at, reason, counters. Of a remote session: id, endpoint, technician, opened_by, why, kinds, state, expires_at, consent, path, reason, detail, seconds, bytes_up, bytes_down. The page API.md has those of all types."`
}

type eventPage struct {
	_     struct{}    `additionalProperties:"true"`
	Items []eventBody `json:"items" nullable:"false" doc:"The events, the oldest first."`
	Next  string      `json:"next" doc:"Number to go on behind; where it is the number that was asked with, there are no more now."`
}

func showEvent(e *events.Event) eventBody {
	return eventBody{ID: e.ID(), Seq: e.Seq, Type: e.Type, Timestamp: utc(e.At), Endpoint: e.Endpoint, Push: e.Push, Data: e.Data}
}

// encodeEvent writes one line of JSON, in which results stand as endpoints wrote them.
func encodeEvent(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}
