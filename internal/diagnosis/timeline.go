package diagnosis

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/internal/endpoint"
)

// StoredEvent is something of an endpoint that was written down when it happened, and is not about a push.
type StoredEvent struct {
	Seq  int64 // grows with every event
	At   time.Time
	Kind string // as GET /v1/events names it
	Data json.RawMessage
}

// Events reads what was written down. It may be called concurrently.
type Events interface {
	// EndpointEvents returns up to limit events of an endpoint that happened until a time, the newest first.
	EndpointEvents(ctx context.Context, k endpoint.Key, until time.Time, limit int) ([]StoredEvent, error)
}

// Entry is one line of a timeline.
type Entry struct {
	At      time.Time
	Kind    string // endpoint.online, push.sent, attempt.failed, ...
	Summary string // one sentence
	Code    string // of an attempt
	Reason  string
	Push    string // id; empty: it is not about a push
	Address string
	Count   int // how often it happened, where it is told as one; else 1

	order int64 // among those of one moment
}

// Page is a part of a timeline.
type Page struct {
	Entries []Entry // the newest first
	Next    string  // where the next page begins; empty: this is the last one
	Since   time.Time
}

// ErrCursor says that a text is not the Next of a page.
var ErrCursor = errors.New("not the place of a page")

// timelineDepth bounds how many events and how many pushes of an endpoint are looked at for one page. What is older is in no page, and Page.Since says so.
const timelineDepth = 2000

// Timeline returns what happened to an endpoint: presence, pushes, changes and failed attempts in one row, the newest first, from a place (empty: from now), at most
// limit. Page.Since is the time since which nothing is missing; zero: nothing is missing that is kept. Errors: endpoint.ErrUnknown, ErrCursor.
func (s *Service) Timeline(ctx context.Context, id, from string, limit int) (Page, error) {
	until, skip, err := readCursor(from)
	if err != nil {
		return Page{}, err
	}
	r, err := s.deps.Endpoints.Endpoint(ctx, s.key(id))
	if err != nil {
		return Page{}, err
	}
	all, since, err := s.entries(ctx, r, until)
	if err != nil {
		return Page{}, err
	}
	slices.SortStableFunc(all, func(a, b Entry) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.order, a.order)) })
	first := 0
	for first < len(all) && (all[first].At.After(until) || skip > 0 && all[first].At.Equal(until)) {
		if all[first].At.Equal(until) {
			skip--
		}
		first++
	}
	all = all[first:]
	p := Page{Since: since, Entries: all}
	if len(all) > limit {
		p.Entries, p.Next = all[:limit], cursorAfter(all[:limit], until, from)
	}
	return p, nil
}

// cursorAfter names the place behind the shown entries: their last moment, and how many of that moment were shown, on this page and, where it began at the same
// moment, before.
func cursorAfter(shown []Entry, until time.Time, from string) string {
	last := shown[len(shown)-1].At
	n := 0
	for _, e := range shown {
		if e.At.Equal(last) {
			n++
		}
	}
	if last.Equal(until) {
		_, before, _ := readCursor(from)
		n += before
	}
	return strconv.FormatInt(last.UnixMicro(), 10) + "." + strconv.Itoa(n)
}

func readCursor(text string) (until time.Time, skip int, err error) {
	if text == "" {
		return time.Now().Add(time.Hour), 0, nil // a clock that was set back hides nothing
	}
	at, n, _ := strings.Cut(text, ".")
	micros, err := strconv.ParseInt(at, 10, 64)
	if err == nil {
		skip, err = strconv.Atoi(n)
	}
	if err != nil || skip < 0 {
		return time.Time{}, 0, ErrCursor
	}
	return time.UnixMicro(micros), skip, nil
}

// entries collects what happened until a time.
func (s *Service) entries(ctx context.Context, r endpoint.Record, until time.Time) (all []Entry, since time.Time, err error) {
	events, err := s.deps.Events.EndpointEvents(ctx, r.Key, until, timelineDepth)
	if err != nil {
		return nil, time.Time{}, err
	}
	for _, e := range events {
		all = append(all, entryOf(r.ID, e))
	}
	if len(events) == timelineDepth {
		since = events[len(events)-1].At
	}
	pushes, err := s.deps.Pushes.Created(ctx, r.Key, until, timelineDepth)
	if err != nil {
		return nil, time.Time{}, err
	}
	for i := range pushes {
		all = append(all, changesOf(&pushes[i])...)
	}
	if n := len(pushes); n == timelineDepth && pushes[n-1].Created.After(since) {
		since = pushes[n-1].Created
	}
	c := s.open(ctx, r)
	for _, a := range s.sightings(r.Key, c.address, time.Time{}) {
		all = append(all, Entry{
			At: a.At, Kind: "attempt.failed", Summary: c.then(a), Code: a.Code, Address: a.Remote.Addr().String(), Count: a.Count,
		})
	}
	return all, since, nil
}

// then says what kept an attempt from a session when it came.
func (c *inquiry) then(s Sighting) string {
	switch s.Code {
	case "unknown_endpoint":
		return c.of(s).fill("{id} tried to log in from {address} and was not registered then{when}.")
	case "endpoint_disabled":
		return c.of(s).fill("{id} tried to log in from {address} and was disabled then{when}.")
	}
	return c.of(s).finding(s.Code).Summary
}

// changesOf tells each state of a push.
func changesOf(p *Push) []Entry {
	entries := make([]Entry, len(p.History))
	for i, c := range p.History {
		entries[i] = Entry{At: c.At, Kind: "push." + c.State, Reason: c.Reason, Push: p.ID, Count: 1, order: int64(i), Summary: changeText(p, i)}
	}
	return entries
}

func changeText(p *Push, i int) string {
	c := p.History[i]
	text := p.ID + " (" + p.Type + ") "
	switch {
	case c.State == "accepted" && i == 0:
		return text + "was accepted."
	case c.State == "accepted":
		return text + "waits again, because its session ended without a receipt" + inBrackets(c.Reason) + "."
	case c.State == "replaced":
		return text + "was replaced by " + c.By + inBrackets(c.Reason) + "."
	case c.State == "handled":
		return text + "was handled by the endpoint" + inBrackets(c.Reason) + "."
	case c.State == "failed":
		return text + "failed" + inBrackets(c.Reason) + "."
	case c.State == "expired":
		return text + "expired" + inBrackets(c.Reason) + "."
	}
	return text + "was " + c.State + inBrackets(c.Reason) + "."
}

func inBrackets(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + reason + ")"
}
