package control

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// keepExpired is how long a session is remembered after its end, for the counters.
const keepExpired = 10 * time.Minute

// record is one open session.
type record struct {
	session Session
	change  int      // counts what session was set to
	before  Counters // of TURN processes that are gone
	last    Counters // of the one that is there, as it said last
}

func (r *record) total() Counters { return r.before.Plus(r.last) }

// Open opens a session or changes the open one of that id, and returns when the TURN process has it. While that is away it waits until ctx ends. On an error
// nothing has changed.
func (c *Client) Open(ctx context.Context, s Session) error {
	s.Owner = c.owner
	if err := s.Validate(); err != nil {
		return err
	}
	undo, err := c.remember(s)
	if err != nil {
		return err
	}
	if _, err = c.ask(ctx, message{Do: doOpen, Session: &s}); err != nil {
		undo()
		return fmt.Errorf("open TURN session %s: %w", s.ID, err)
	}
	return nil
}

// ask asks the TURN process, the next one if the present one ends before it answers.
func (c *Client) ask(ctx context.Context, m message) (message, error) {
	for {
		p, err := c.await(ctx)
		if err != nil {
			return message{}, err
		}
		answer, err := p.call(ctx, m)
		if !errors.Is(err, errGone) {
			return answer, err
		}
		c.leave(p)
	}
}

// remember keeps the session. Undo brings back what was kept of that id before, unless it was changed again since.
func (c *Client) remember(s Session) (undo func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.sessions[s.ID]
	if r == nil {
		if c.forgetExpiredLocked(); len(c.sessions) >= MaxSessions {
			return nil, ErrTooManySessions
		}
		r = &record{}
		c.sessions[s.ID] = r
	}
	previous := r.session
	r.session = s
	r.change++
	change := r.change
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.sessions[s.ID] == r && r.change == change {
			c.restoreLocked(r, previous)
		}
	}, nil
}

// restoreLocked gives a record its session of before, or forgets it if there was none, and has the TURN process do the same if it is there.
func (c *Client) restoreLocked(r *record, previous Session) {
	back := message{Do: doOpen, Session: &previous}
	if previous.ID == "" {
		back = message{Do: doEnd, ID: r.session.ID, Reason: "not opened"}
		delete(c.sessions, r.session.ID)
	} else {
		r.session = previous
	}
	if c.peer != nil {
		c.peer.post(back, func(message) {})
	}
}

// End ends a session for good and returns what it has done; no bytes of it are relayed any more. While a child is away the end is remembered, and nil is the error, as
// nothing relays. A TURN process on another host relays on while the connection to it is cut, so End waits for that until ctx ends: ErrAway says that it may still relay,
// and the end is remembered as well. If ctx ends first, the session ends all the same and the counters are the last known ones. ErrUnknownSession: there is none.
func (c *Client) End(ctx context.Context, id, reason string) (Counters, error) {
	c.mu.Lock()
	r, p := c.sessions[id], c.peer
	delete(c.sessions, id)
	c.mu.Unlock()
	if r == nil {
		return Counters{}, ErrUnknownSession
	}
	m := message{Do: doEnd, ID: id, Reason: reason}
	if c.target != "" && r.session.Expires.After(time.Now()) {
		return c.endThere(ctx, r, m)
	}
	return c.count(ctx, r, p, m)
}

// endThere ends a session on another host, where one that has not expired goes on until it is told. A connection that comes
// back begins with which sessions are open, which ends this one even if ctx is over by then.
func (c *Client) endThere(ctx context.Context, r *record, m message) (Counters, error) {
	for {
		p, err := c.await(ctx)
		var total Counters
		if err == nil {
			total, err = c.inquire(ctx, r, p, m)
		}
		switch {
		case err == nil:
			return total, nil
		case errors.Is(err, errGone):
			c.leave(p)
		case ctx.Err() != nil:
			return c.known(r), fmt.Errorf("end TURN session %s: %w: %w", m.ID, ErrAway, ctx.Err())
		default:
			return total, fmt.Errorf("end TURN session %s: %w", m.ID, err)
		}
	}
}

// known returns what a session has done as far as it is known.
func (c *Client) known(r *record) Counters {
	c.mu.Lock()
	defer c.mu.Unlock()
	return r.total()
}

// Counters returns what a session has done since it was opened; while the TURN process is away, what is known. ErrUnknownSession: there is none.
func (c *Client) Counters(ctx context.Context, id string) (Counters, error) {
	c.mu.Lock()
	r, p := c.sessions[id], c.peer
	c.mu.Unlock()
	if r == nil {
		return Counters{}, ErrUnknownSession
	}
	return c.count(ctx, r, p, message{Do: doCounters, ID: id})
}

// count asks p for the session's counters, if it is there. What it has counted is lost if it is gone before it answers.
func (c *Client) count(ctx context.Context, r *record, p *caller, m message) (Counters, error) {
	total, err := c.inquire(ctx, r, p, m)
	switch {
	case errors.Is(err, errGone):
		total.Open = 0
		return total, nil
	case err != nil:
		return total, fmt.Errorf("count TURN session: %w", err)
	}
	return total, nil
}

// inquire asks p for the session's counters and returns all that is known then. errGone: p is not there, or gone before it answers.
func (c *Client) inquire(ctx context.Context, r *record, p *caller, m message) (Counters, error) {
	var answer message
	err := errGone
	if p != nil {
		answer, err = p.call(ctx, m)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if current := c.peer == p || c.sessions[r.session.ID] != r; answer.Counters != nil && current {
		r.last = *answer.Counters
	}
	return r.total(), err
}

// forgetExpiredLocked forgets sessions that have ended by themselves, if there is no room for another one.
func (c *Client) forgetExpiredLocked() {
	if len(c.sessions) < MaxSessions {
		return
	}
	now := time.Now()
	for id, r := range c.sessions {
		if now.Sub(r.session.Expires) > keepExpired {
			delete(c.sessions, id)
		}
	}
}
