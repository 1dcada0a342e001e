package diagnosis

import (
	"context"
	"encoding/json"
	"time"

	"signalbox/internal/endpoint"
)

// Push is what is known of a push, or of one target of a push to many.
type Push struct {
	ID        string
	To        endpoint.Key
	Type      string
	What      string // what it is, for people, where it is no push of the management server's own making; empty: it is one
	State     string // as the API shows it
	Done      bool   // it stays in this state
	Created   time.Time
	Expires   time.Time // equal to Created: it is now or never
	NotBefore time.Time // zero: at once
	History   []Change  // the oldest first; never empty
	Result    json.RawMessage

	CollapseKey string // a newer push with the same one replaces it; empty: none
}

// Change is one state that a push was in.
type Change struct {
	State  string
	At     time.Time
	Reason string
	By     string // of replaced: the id of the newer push
}

// what says behind the id what it is.
func (p *Push) what() string {
	if p.What == "" {
		return ""
	}
	return ", " + p.What + ","
}

// last is the newest change.
func (p *Push) last() Change { return p.History[len(p.History)-1] }

// Fanout is a push to many, with the number of its targets by state.
type Fanout struct {
	ID      string
	Targets int
	Counts  map[string]int
	Created time.Time
	Expires time.Time
}

// Pushes reads pushes. It may be called concurrently.
type Pushes interface {
	// Push returns one push with fanout nil, or a push to many with push nil, or ErrUnknownPush.
	Push(ctx context.Context, id string) (push *Push, fanout *Fanout, err error)
	// Targets returns up to limit targets of a push to many in a state.
	Targets(ctx context.Context, fanout, state string, limit int) ([]Push, error)
	// Created returns up to limit pushes of an endpoint that were made until a time, the newest first.
	Created(ctx context.Context, k endpoint.Key, until time.Time, limit int) ([]Push, error)
	// Sent returns how many pushes of an endpoint were sent and have no receipt, and since when the first of them.
	Sent(ctx context.Context, k endpoint.Key) (n int, oldest time.Time, err error)
	// Ahead returns how many pushes wait for the same endpoint and go out before this one.
	Ahead(ctx context.Context, p *Push) (int, error)
}
