package events

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Strangers cause refusals, so what is told of them is bounded.
const (
	refusalSoon    = 2 * time.Second // what comes with the first is told with it
	refusalWindow  = time.Minute     // between two times of telling
	refusalSources = 30              // events of one time of telling; what is beyond is told as one more
	maxServerName  = 253             // bytes, as the DNS allows
)

// Refusal is a connection whose TLS handshake failed.
type Refusal struct {
	Source     netip.Addr
	Listener   string // its configuration key
	Reason     string // a reason of the listener
	Alert      string // how the client refused our certificate; empty: it did not
	ServerName string // that the client asked for; a stranger wrote it
}

// refused is who is counted together: one source, IPv6 by /64, with one reason.
type refused struct {
	source        netip.Addr
	reason, alert string
}

// refusalCount is the Data of tls.refused.
type refusalCount struct {
	Source     string    `json:"source,omitempty"` // address, or IPv6 /64; empty: of many, each of which was not told of
	Listener   string    `json:"listener,omitempty"`
	Reason     string    `json:"reason,omitempty"`
	Alert      string    `json:"alert,omitempty"`
	ServerName string    `json:"server_name,omitempty"` // of the last one
	Count      int       `json:"count"`
	First      time.Time `json:"first"`
	Last       time.Time `json:"last"`
}

func (c *refusalCount) add(now time.Time) {
	if c.Count == 0 {
		c.First = now
	}
	c.Count++
	c.Last = now
}

// Refusals tells of refused handshakes: one event for each source and reason with a count, refusalSources and one more each minute at most.
type Refusals struct {
	store adder
	log   *zap.Logger
	some  chan struct{} // holds a token when there is something to tell

	mu     sync.Mutex
	counts map[refused]*refusalCount
	order  []*refusalCount // as they came
	others refusalCount
}

// NewRefusals starts nothing: call Run.
func NewRefusals(store Store, log *zap.Logger) *Refusals {
	return &Refusals{store: store, log: log.Named("events"), some: make(chan struct{}, 1), counts: map[refused]*refusalCount{}}
}

// Add counts a refusal. It does not block and may be called concurrently.
func (r *Refusals) Add(f Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now().UTC()
	who, shown := sourceOf(f.Source)
	key := refused{who, f.Reason, f.Alert}
	c := r.counts[key]
	switch {
	case c == nil && len(r.order) < refusalSources:
		c = &refusalCount{Source: shown, Listener: f.Listener, Reason: f.Reason, Alert: f.Alert}
		r.counts[key] = c
		r.order = append(r.order, c)
	case c == nil:
		c = &r.others
	}
	if c != &r.others {
		c.ServerName = strings.ToValidUTF8(f.ServerName[:min(len(f.ServerName), maxServerName)], "")
	}
	c.add(now)
	select {
	case r.some <- struct{}{}:
	default:
	}
}

// sourceOf returns who counts as one, and how that is shown.
func sourceOf(a netip.Addr) (netip.Addr, string) {
	a = a.Unmap().WithZone("")
	if !a.Is6() {
		return a, a.String()
	}
	p, err := a.Prefix(64)
	if err != nil {
		return a, a.String()
	}
	return p.Addr(), p.String()
}

// Run tells until ctx is done; what was not told by then is told at the end. It is called once.
func (r *Refusals) Run(ctx context.Context) error {
	last := context.WithoutCancel(ctx)
	defer r.tell(last)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.some:
		}
		if !pause(ctx, refusalSoon) {
			return nil
		}
		r.tell(last)
		if !pause(ctx, refusalWindow-refusalSoon) {
			return nil
		}
	}
}

// tell writes what was counted.
func (r *Refusals) tell(ctx context.Context) {
	r.mu.Lock()
	all := r.order
	if r.others.Count > 0 {
		others := r.others
		all = append(all, &others)
	}
	r.counts, r.order, r.others = map[refused]*refusalCount{}, nil, refusalCount{}
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, noticeTime)
	defer cancel()
	for _, c := range all {
		tell(ctx, r.store, r.log, Notice{Type: TLSRefused, At: c.Last}, c)
	}
}
