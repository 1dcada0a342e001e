package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Event is one thing that happened to an endpoint, a push or the server.
type Event struct {
	ID        string          `json:"id"`
	Seq       int64           `json:"seq"`  // number; later events have greater ones
	Type      string          `json:"type"` // such as push.delivered
	Timestamp time.Time       `json:"timestamp"`
	Endpoint  string          `json:"endpoint,omitempty"` // empty: it is about the server
	Push      string          `json:"push,omitempty"`     // empty: it is about no push
	Data      json.RawMessage `json:"data"`               // what is known of it, an object
}

// EventFilter selects events. The zero value selects what happens from now on.
type EventFilter struct {
	After     string   // number of the event to go on behind; "0": everything that is kept; empty: now
	Types     []string // such as push.failed, or all of a subject as in push.*; empty: all
	Endpoints []string // ids; empty: all, and the server
	Push      string   // id; of a push to several endpoints, its targets; empty: all, and what is about none
}

// EventPage is one page of events.
type EventPage struct {
	Items []Event `json:"items"` // the oldest first
	Next  string  `json:"next"`  // to go on behind; where it is what was asked with, there are no more now
}

const eventsPath = "/v1/events"

// Events returns up to limit events, 1 to 500, without waiting for any.
func (c *Client) Events(ctx context.Context, f EventFilter, limit int) (out EventPage, err error) {
	q := f.query()
	q.Set("limit", strconv.Itoa(limit))
	_, err = c.do(ctx, call{method: http.MethodGet, path: eventsPath, query: q}, &out)
	return out, err
}

func (f EventFilter) query() url.Values {
	q := query("after", f.After, "push", f.Push)
	for _, t := range f.Types {
		q.Add("type", t)
	}
	for _, id := range f.Endpoints {
		q.Add("endpoint", id)
	}
	return q
}

// silence is how long a stream may say nothing before it counts as lost: the longest heartbeat that a server can have, and some patience.
const silence = 90 * time.Second

var errSilent = errors.New("the stream of events fell silent")

// FollowEvents calls handle for each event that f selects, in their order, none twice and none left out. When the stream breaks it calls retrying, unless that is nil,
// and comes back to where it was, until ctx is done. Errors: that of ctx, that of handle, a connection that cannot be made the first time, and what coming back does
// not mend: a *Problem such as invalid_token, or events_gone where events may have been missed.
func (c *Client) FollowEvents(ctx context.Context, f EventFilter, retrying func(error), handle func(Event) error) error {
	s := &following{client: c, query: f.query(), handle: handle}
	for try := 1; ; try++ {
		begun, before := time.Now(), s.events
		err := s.once(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case s.failed != nil:
			return s.failed
		case isFinal(err), s.read == 0 && try >= c.tries:
			return err
		case s.events > before, time.Since(begun) > longestPause:
			try = 1
		}
		if retrying != nil {
			retrying(err)
		}
		if err := pause(ctx, backoff(min(try, maxBackoffs), err)); err != nil {
			return err
		}
	}
}

// maxBackoffs is the try from which on the pauses no longer grow.
const maxBackoffs = 8

// isFinal reports whether coming back does not help.
func isFinal(err error) bool {
	var p *Problem
	return errors.As(err, &p) && p.Code != "" && p.Status/100 == 4 && p.Status != http.StatusRequestTimeout && p.Status != http.StatusTooManyRequests
}

// following is one who follows events through several streams.
type following struct {
	client *Client
	query  url.Values
	handle func(Event) error

	last   string // number of the last event, or of the last sign of life
	read   int    // signs of life and events that were read in all
	events int    // those of them that were handled
	failed error  // what handle returned
}

// once follows one stream to its end.
func (s *following) once(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer watchdog.Stop()
	res, err := s.open(ctx)
	if err != nil {
		return orCause(ctx, err)
	}
	defer res.Body.Close()
	stream := newSSEReader(res.Body)
	for {
		e, err := stream.next()
		if err != nil {
			return orCause(ctx, fmt.Errorf("read the stream of events: %w", err))
		}
		watchdog.Reset(silence)
		if err := s.take(e); err != nil {
			return err
		}
	}
}

// orCause returns why ctx ended where that is more than that it did.
func orCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func (s *following) open(ctx context.Context) (*http.Response, error) {
	r := call{method: http.MethodGet, path: eventsPath, query: s.query}
	req, err := http.NewRequestWithContext(ctx, r.method, s.client.target(r), nil)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	s.client.dress(req, r)
	req.Header.Set("Accept", "text/event-stream, application/problem+json")
	if s.last != "" {
		req.Header.Set("Last-Event-ID", s.last)
	}
	res, err := s.client.streams.Do(req)
	if err != nil {
		return nil, fmt.Errorf("call the API: %w", err)
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxSSEEvent))
	if err != nil {
		return nil, fmt.Errorf("%s %s: read the answer: %w", r.method, r.path, err)
	}
	return nil, newProblem(res, data)
}

func (s *following) take(e sseEvent) error {
	if e.data != "" {
		var event Event
		if err := json.Unmarshal([]byte(e.data), &event); err != nil {
			return fmt.Errorf("read the stream of events: it is not what the API promises: %w", err)
		}
		if s.failed = s.handle(event); s.failed != nil {
			return s.failed
		}
		s.events++
	}
	s.read++
	if e.id != "" { // behind the event: what was not handled comes again
		s.last = e.id
	}
	return nil
}
