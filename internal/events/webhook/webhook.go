package webhook

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"time"
)

// Management is the id of the receiver that the configuration names: the management server.
const Management = "management"

// Bounds of what may be registered.
const (
	MaxWebhooks         = 100
	MaxURLBytes         = 2048
	MaxDescriptionBytes = 256
	MaxTypes            = 64
	MaxKeys             = 5
)

// Errors of the service. They are returned as they are or wrapped.
var (
	ErrUnknown    = errors.New("unknown webhook")
	ErrTooMany    = errors.New("too many webhooks")
	ErrConfigured = errors.New("the management server is set in the configuration")
	ErrDisabled   = errors.New("the webhook is disabled")
)

// Webhook is one receiver of events, with how far it is.
type Webhook struct {
	ID          string // "whk_..." or Management
	URL         string
	Description string
	Types       []string // what it gets: types, or patterns such as "push.*"; empty: DefaultTypes
	Enabled     bool
	Insecure    bool  // http is allowed
	Keys        []Key // that sign, the newest first; one at least
	Created     time.Time
	Updated     time.Time
	State
}

// State is how far a receiver is. The zero value: nothing was sent yet.
type State struct {
	Cursor      int64     `json:"-"`                  // events up to this number are done
	Disabled    string    `json:"disabled,omitempty"` // why the server disabled it, in a sentence; empty: it did not
	Failures    int       `json:"failures,omitempty"` // attempts in a row that failed
	Since       time.Time `json:"since,omitzero"`     // of the first of them
	Next        time.Time `json:"next,omitzero"`      // when the next attempt is due
	Fault       Fault     `json:"fault,omitzero"`     // of the last attempt
	LastSuccess time.Time `json:"last_success,omitzero"`
}

// Delivery is one attempt to hand an event to a receiver.
type Delivery struct {
	ID       int64 // grows with time
	At       time.Time
	Seq      int64  // number of the event; 0: one that is in no outbox, a test or snapshot
	Event    string // its id, the header webhook-id
	Type     string
	Endpoint string // empty: the event is about none
	Attempt  int    // 1 is the first
	Status   int    // of the answer; 0: there was none
	Took     time.Duration
	Fault    Fault     // zero: it was taken
	Next     time.Time // when the next attempt is due; zero: there is none
}

// OK reports whether the receiver took the event.
func (d Delivery) OK() bool { return d.Fault.Code == "" }

// Aside is an event that its receiver refuses while it takes others, or one of the same endpoint behind such an event.
type Aside struct {
	Seq      int64
	Endpoint string // what its order is kept for
	Tries    int
	Since    time.Time // of the first attempt; zero: none was made
	Next     time.Time
	GivenUp  bool // it is tried again by a replay alone
}

// newID returns a prefix and 26 digits that sort by time: 48 bits of milliseconds and 80 random bits, in base 32.
func newID(prefix string, now time.Time) string {
	var b [18]byte
	binary.BigEndian.PutUint64(b[:], uint64(now.UnixMilli()))
	rand.Read(b[8:]) // never fails, see crypto/rand
	return prefix + base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding).EncodeToString(b[2:])
}
