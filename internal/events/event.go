// Package events is what happened: reading the outbox of the store in order, from any place in it, and handing it to those who follow.
package events

import (
	"encoding/json"
	"time"

	"signalbox/internal/id"
)

// Event is one thing that happened to an endpoint, a push or the server.
type Event struct {
	Seq      int64           // place in the outbox: later events have greater numbers; numbers may be missing
	At       time.Time       // when it happened, to the microsecond, in UTC
	Type     Type            // what happened
	Domain   string          // of the endpoint; empty: it is about the server
	Endpoint string          // id of the endpoint; empty: it is about the server
	Push     string          // id of the push as the API shows it; empty: it is not about a push
	Fanout   string          // id of the push to several endpoints that Push is a target of; empty: it is of none
	Data     json.RawMessage // a JSON object with what is known of it; never nil
}

// ID returns the event's id as the API shows it: "evt_" and 13 digits that sort like its number. It is the same wherever and however often the event is handed on.
func (e Event) ID() string { return id.Format("evt_", e.Seq) }

// Notice is an event that belongs to no other change.
type Notice struct {
	Type     Type
	Domain   string          // with Endpoint: what it is about; both empty: the server
	Endpoint string          // see Domain
	At       time.Time       // zero: now
	Data     json.RawMessage // a JSON object; nil: {}
	Once     string          // where it is not empty, nothing is written if there was one of the same name; up to 255 bytes
	Until    time.Time       // until when the name in Once is remembered at least
}

// Bounds are the ends of what is kept.
type Bounds struct {
	Deleted int64 // number of the newest event that is not kept any more; 0: all are
	Newest  int64 // number that was given out last; 0: none was
}
