// Package push holds the life of a push from its acceptance to its acknowledgement or expiry.
package push

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/id"
)

// ID names a push: 41 bits of milliseconds since 2020 and a counter, so that a push posted after another's 202 has the greater id. The store allocates it.
type ID int64

const idPrefix = "psh_"

// ErrID says that a text is not the id of a push.
var ErrID = errors.New("not the id of a push")

// String returns the id as the API and the wire show it: "psh_" and 13 digits that sort like the number.
func (n ID) String() string { return id.Format(idPrefix, int64(n)) }

// ParseID reads what String wrote, or returns ErrID.
func ParseID(s string) (ID, error) {
	n, ok := id.Parse(idPrefix, s)
	if !ok {
		return 0, ErrID
	}
	return ID(n), nil
}

// Priority orders the pushes that wait for one endpoint.
type Priority uint8

// The priorities, highest first, so that they sort as they are sent.
const (
	High Priority = iota
	Normal
	Low
)

var priorityNames = [...]string{High: "high", Normal: "normal", Low: "low"}

// String returns the name used by the API and on the wire.
func (p Priority) String() string { return priorityNames[p] }

// ParsePriority reads a name; the empty text means Normal.
func ParsePriority(s string) (Priority, error) {
	if s == "" {
		return Normal, nil
	}
	for i, name := range priorityNames {
		if name == s {
			return Priority(i), nil
		}
	}
	return 0, fmt.Errorf("unknown priority %q: use high, normal or low", s)
}

// Ack says what counts as done.
type Ack uint8

// The levels of SPEC section 7. AckDelivered is the default.
const (
	AckDelivered Ack = iota
	AckNone
	AckHandled
)

var ackNames = [...]string{AckDelivered: "delivered", AckNone: "none", AckHandled: "handled"}

// String returns the name used by the API.
func (a Ack) String() string { return ackNames[a] }

// ParseAck reads a name; the empty text means AckDelivered.
func ParseAck(s string) (Ack, error) {
	if s == "" {
		return AckDelivered, nil
	}
	for i, name := range ackNames {
		if name == s {
			return Ack(i), nil
		}
	}
	return 0, fmt.Errorf("unknown ack %q: use none, delivered or handled", s)
}

// Bounds of a push.
const (
	MaxTTL          = 2419200 * time.Second // 28 days
	DefaultTTL      = 86400 * time.Second
	MaxPayloadBytes = 64 << 10 // of the JSON text, or of the decoded base64
	MaxTypeBytes    = 128
	MaxKeyBytes     = 64          // of a collapse key
	NowGrace        = time.Minute // how long a push with TTL 0 that was sent may wait for its receipt and result
)

// Push is one command or notice for one endpoint.
type Push struct {
	ID       ID
	To       endpoint.Key
	Type     string // dotted name
	Payload  []byte // JSON text, or raw bytes if Binary; nil where there is none or where it is no longer kept
	Binary   bool   // Payload came as payload_base64
	Message  bool   // Payload is a message of XMPP, as MessagePayload makes it; never together with Binary
	Priority Priority
	Ack      Ack
	TTL      time.Duration // 0: now or never
	Created  time.Time     // when it was accepted; set by the store
	Fanout   ID            // the fan-out that it is a target of; 0: none

	CollapseKey string    // a newer push with it for the same endpoint replaces this one while it waits; 1 to MaxKeyBytes of A-Z, a-z, 0-9, - and _; empty: none
	NotBefore   time.Time // it is not delivered before; zero, or not after Created: at once
}

// Scheduled reports whether the push had to wait for its time when it was accepted.
func (p Push) Scheduled() bool { return p.NotBefore.After(p.Created) }

// Expires returns when the push is over if nobody acknowledged it.
func (p Push) Expires() time.Time { return p.Created.Add(p.TTL) }

// Idempotency is a caller's Idempotency-Key with what it was used for.
type Idempotency struct {
	Token string   // id of the API token: keys of two callers never meet
	Key   [16]byte // start of the SHA-256 of the header
	Body  [16]byte // start of the SHA-256 of the request body
}

// NewIdempotency hashes the header and the body of a request.
func NewIdempotency(token, key string, body []byte) Idempotency {
	i := Idempotency{Token: token}
	k, b := sha256.Sum256([]byte(key)), sha256.Sum256(body)
	copy(i.Key[:], k[:])
	copy(i.Body[:], b[:])
	return i
}

// Change is one state that a push was in.
type Change struct {
	State  State     `json:"state"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
	By     ID        `json:"by,omitempty"` // of Replaced: the newer push; 0: none
}

// Ended is a push that the acceptance of another one put an end to.
type Ended struct {
	ID     ID
	Fanout ID // that it is a target of; 0: none
	State  State
}

// Status is what is known of a push.
type Status struct {
	Push              // without Payload
	State    State    // the newest
	History  []Change // oldest first; never empty
	Result   json.RawMessage
	Replayed bool    // the answer to a request repeated with the same Idempotency-Key
	Ended    []Ended // by its acceptance; of the answer to that alone
}
