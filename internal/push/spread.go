package push

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signalbox/internal/endpoint"
)

const (
	fanoutChunk = 500 // targets that one transaction stores: other pushes are written between two chunks
	smallChunk  = 32  // the same, and changes of state, while others post pushes: each of theirs waits for the transaction that runs
	maxFanouts  = 32  // that are accepted at the same time; each holds a list of its targets in memory
)

// SubmitFanout makes a push for many endpoints durable, in chunks, and hands each chunk to the endpoints' sessions as soon as it is durable. Once it is being
// stored, the end of ctx does not stop that. Counts says what became of the targets: accepted or rejected, or, with TTL 0, expired. A repeated request is
// answered as it was, with Replayed, or goes on where the first one was interrupted.
//
// With a Selector it asks each endpoint once whether it matches, in the transaction that stores its target.
//
// Errors: FieldErrors, ErrNoTargets, ErrLateFull, ErrKeyBusy, ErrKeyReused, ErrBusy, ErrNoSpace; InterruptedError around the last two where something was stored.
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
	d := &spread{s: s, ctx: ctx, push: p, request: r}
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
	s       *Service
	ctx     context.Context // of the request
	push    Push            // of all targets
	request FanoutRequest

	refuse  error         // why it is not accepted, unless it was before
	fanout  Fanout        // as far as it is stored
	expired int           // with TTL 0: what no session took
	resumed bool          // a part was stored by an earlier request
	took    time.Duration // to store the last chunk
}

// part is a chunk on its way to the disk.
type part struct {
	tickets map[string]ticket // by the ids of those that get the push; the store says who, between the request and its answer
	claim   *claim
	limit   int // of targets
	stored  AcceptedChunk
	took    time.Duration // to store it
	err     error
}

// run stores chunk after chunk. While one is handed out the next is written.
func (d *spread) run() error {
	var err error
	d.fanout.Targets, d.refuse, err = d.count()
	if err != nil {
		return err
	}
	next := d.write()
	for next != nil {
		done := <-next
		done.claim.end(done.stored.Ended)
		if done.err == nil && done.stored.Fanout.Replayed {
			d.leave(done)
			if d.fanout = done.stored.Fanout; d.fanout.complete() {
				return nil
			}
			d.push.ID, d.fanout.Replayed, d.resumed = d.fanout.ID, false, true
			next = d.write()
			continue
		}
		if done.err != nil {
			d.leave(done)
			return d.interrupted(done.err)
		}
		d.fanout = done.stored.Fanout
		d.push.ID = d.fanout.ID
		next = nil
		d.took = done.took
		if len(done.stored.Targets) == done.limit {
			next = d.write()
		}
		d.s.pace()
		d.hand(done)
	}
	return nil
}

// count returns how many targets there will be, as far as that can be known, and why there cannot be so many.
func (d *spread) count() (n int, refuse, err error) {
	if d.request.To != nil {
		return len(d.request.To), nil, nil
	}
	most := d.s.cfg.MaxTargets
	n, err = d.s.store.CountMembers(d.ctx, d.push.To.Domain, d.request.Selector, most+1)
	switch {
	case n > most:
		refuse = FieldErrors{{"/to", fmt.Sprintf("matches more than the %d endpoints that push.max_targets allows", most)}}
	case n == 0 && !d.request.Late:
		refuse = ErrNoTargets
	}
	return n, refuse, err
}

// write begins to store the chunk behind what is stored; nil: there is none. run waits for its end.
func (d *spread) write() <-chan *part {
	stored := d.fanout.Stored
	if d.request.To != nil && stored == len(d.request.To) {
		return nil
	}
	limit := d.s.atOnce(fanoutChunk)
	p := &part{claim: d.s.newClaim(d.push), limit: limit, tickets: make(map[string]ticket, limit)}
	c := FanoutChunk{
		Push: d.push, Targets: d.fanout.Targets, Stored: stored, Selector: d.request.Selector, Late: d.request.Late, Idempotency: d.request.Idempotency,
		Queue: d.s.bound(), Claim: p.claim.ask(), Refuse: d.refuse,
		Enter: func(k endpoint.Key) {
			if _, again := p.tickets[k.ID]; !again {
				p.tickets[k.ID] = d.s.enter(k)
			}
		},
	}
	if d.request.To != nil {
		c.To = d.request.To[stored:min(stored+limit, len(d.request.To))]
	} else {
		c.Limit = limit
	}
	done := make(chan *part, 1)
	pause := d.took
	go func() { // ends with its answer
		d.s.leaveDisk(pause)
		began := time.Now()
		p.stored, p.err = d.s.acceptTargets(context.WithoutCancel(d.ctx), c)
		p.took = time.Since(began)
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
	for _, t := range done.stored.Targets {
		if t.Reason != "" {
			continue
		}
		own := done.tickets[t.To]
		delete(done.tickets, t.To)
		d.s.m.accepted.Inc()
		p := d.target(t.To)
		p.ID, p.Created = t.ID, done.stored.Created
		if p.TTL == 0 {
			verdicts = append(verdicts, d.s.decideNow(own, p))
			continue
		}
		d.s.handDue(own, p)
	}
	d.leave(done) // of a transaction that was tried again
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
