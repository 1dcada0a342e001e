package push

import (
	"context"
	"errors"
	"fmt"
)

const (
	fanoutChunk = 1000 // targets that one transaction stores: other pushes are written between two chunks
	maxFanouts  = 32   // that are accepted at the same time; each holds all its targets in memory
)

// SubmitFanout makes a push for many endpoints durable, in chunks, and hands each chunk to the endpoints' sessions as soon as it is durable. Once it is being
// stored, the end of ctx does not stop that. Counts says what became of the targets: accepted or rejected, or, with TTL 0, expired. A repeated request is
// answered as it was, with Replayed, or goes on where the first one was interrupted.
//
// Errors: FieldErrors, ErrKeyBusy, ErrKeyReused, ErrBusy, ErrNoSpace; InterruptedError around the last two where something was stored.
func (s *Service) SubmitFanout(ctx context.Context, r FanoutRequest) (Fanout, error) {
	p, err := r.normalise()
	if err != nil {
		return Fanout{}, err
	}
	select {
	case s.fanouts <- struct{}{}:
		defer func() { <-s.fanouts }()
	default:
		return Fanout{}, ErrBusy
	}
	if r.Idempotency != nil {
		k := idempotencyKey{r.Idempotency.Token, r.Idempotency.Key}
		if !s.claim(k) {
			return Fanout{}, ErrKeyBusy
		}
		defer s.unclaim(k)
	}
	d := &spread{s: s, ctx: ctx, push: p, to: r.To, idempotency: r.Idempotency}
	if err := d.run(); err != nil {
		return Fanout{}, err
	}
	if d.fanout.Replayed || d.resumed {
		return s.replayed(ctx, d.fanout)
	}
	d.fanout.count(d.expired)
	return d.fanout, nil
}

// spread is a fan-out that is being accepted.
type spread struct {
	s           *Service
	ctx         context.Context // of the request
	push        Push            // of all targets
	to          []string
	idempotency *Idempotency

	fanout  Fanout // as far as it is stored
	expired int    // with TTL 0: what no session took
	resumed bool   // a part was stored by an earlier request
}

// part is a chunk on its way to the disk.
type part struct {
	to      []string
	tickets []ticket
	stored  AcceptedChunk
	err     error
}

// run stores chunk after chunk. While one is handed out the next is written.
func (d *spread) run() error {
	next := d.write(0)
	for next != nil {
		done := <-next
		if done.err == nil && done.stored.Fanout.Replayed {
			d.leave(done)
			if d.fanout = done.stored.Fanout; d.fanout.Stored == d.fanout.Targets {
				return nil
			}
			d.push.ID, d.fanout.Replayed, d.resumed = d.fanout.ID, false, true
			next = d.write(d.fanout.Stored)
			continue
		}
		if done.err != nil {
			d.leave(done)
			return d.interrupted(done.err)
		}
		d.fanout = done.stored.Fanout
		d.push.ID = d.fanout.ID
		next = d.write(d.fanout.Stored)
		d.hand(done)
	}
	return nil
}

// write begins to store the chunk behind so many targets; nil: there is none. run waits for its end.
func (d *spread) write(stored int) <-chan *part {
	if stored == len(d.to) {
		return nil
	}
	p := &part{to: d.to[stored:min(stored+fanoutChunk, len(d.to))]}
	p.tickets = make([]ticket, len(p.to))
	for i := range p.to {
		p.tickets[i] = d.s.enter(d.target(p.to[i]))
	}
	c := FanoutChunk{Push: d.push, Targets: len(d.to), Stored: stored, To: p.to, Idempotency: d.idempotency, Queue: d.s.bound()}
	done := make(chan *part, 1)
	go func() { // ends with its answer
		p.stored, p.err = d.s.acceptTargets(context.WithoutCancel(d.ctx), c)
		done <- p
	}()
	return done
}

// acceptTargets stores a chunk. Where the store is busy in the middle of a fan-out it tries again: half a fan-out helps nobody.
func (s *Service) acceptTargets(ctx context.Context, c FanoutChunk) (AcceptedChunk, error) {
	for attempt := 1; ; attempt++ {
		out, err := s.store.AcceptTargets(ctx, c)
		if !errors.Is(err, ErrBusy) || c.Push.ID == 0 || attempt == maxAttempts {
			return out, err
		}
		pause(ctx, attempt)
	}
}

// target is the push of one target.
func (d *spread) target(id string) Push {
	p := d.push
	p.To.ID, p.Fanout = id, d.fanout.ID
	return p
}

func (d *spread) leave(p *part) {
	for _, t := range p.tickets {
		d.s.leave(t)
	}
}

// hand gives the accepted targets of a chunk to their sessions.
func (d *spread) hand(done *part) {
	var verdicts []chan verdict
	for i, t := range done.stored.Targets {
		if t.Reason != "" {
			d.s.leave(done.tickets[i])
			continue
		}
		d.s.m.accepted.Inc()
		p := d.target(done.to[i])
		p.ID, p.Created = t.ID, done.stored.Created
		if p.TTL == 0 {
			verdicts = append(verdicts, d.s.decideNow(done.tickets[i], p))
			continue
		}
		d.s.hand(done.tickets[i], p)
	}
	for _, c := range verdicts {
		select {
		case v := <-c:
			if v.expired && v.err == nil && v.outcome.Applied {
				d.expired++
			}
		case <-d.ctx.Done():
			return
		}
	}
}

// interrupted is the answer to a fan-out that ends early.
func (d *spread) interrupted(err error) error {
	if d.fanout.Stored == 0 {
		return err
	}
	return &InterruptedError{Fanout: d.fanout, Err: err}
}

// replayed makes the first answer to a fan-out again. Only targets with TTL 0 could be over by then.
func (s *Service) replayed(ctx context.Context, f Fanout) (Fanout, error) {
	expired := 0
	for after := ID(0); f.TTL == 0; {
		page, err := s.store.Deliveries(ctx, f.To.Domain, f.ID, Expired, after, fanoutChunk)
		if err != nil {
			return Fanout{}, fmt.Errorf("read targets of %s: %w", f.ID, err)
		}
		for _, st := range page {
			if after = st.ID; st.History[len(st.History)-1].Reason == ReasonOffline {
				expired++
			}
		}
		if len(page) < fanoutChunk {
			break
		}
	}
	f.count(expired)
	return f, nil
}

// count says what became of the targets at their acceptance, of which so many expired at once.
func (f *Fanout) count(expired int) {
	f.Counts = Counts{}
	for state, n := range map[State]int{Accepted: f.Stored - f.Refused - expired, Rejected: f.Refused, Expired: expired} {
		if n > 0 {
			f.Counts[state] = n
		}
	}
}
