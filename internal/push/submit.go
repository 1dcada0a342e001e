package push

import (
	"context"
	"time"

	"signalbox/internal/endpoint"
)

// Request is a push that somebody wants to have delivered.
type Request struct {
	Push        Push         // ID and Created are set by the service; TTL 0 means now or never, see Service.DefaultTTL
	Idempotency *Idempotency // nil: none
}

// idempotencyKey names a running request.
type idempotencyKey struct {
	token string
	key   [16]byte
}

// ticket is what a request saw of the endpoint's lane before its push was stored.
type ticket struct {
	lane   *lane // nil: there was none
	rounds uint32
}

// Submit makes a push durable and hands it to the endpoint's session if there is one and nothing waits. Once the push is being stored, the end of ctx does
// not stop that. With TTL 0 it waits for the verdict: the Status is Accepted if the push is with the session, Expired (durably) if it could not be; when ctx
// ends first, it returns the push as it was accepted with ctx's error. A repeated request is answered as the store answers it, with Replayed.
//
// Errors: FieldErrors, ErrKeyBusy, ErrKeyReused, ErrQueueFull, ErrBusy, ErrNoSpace, endpoint.ErrUnknown, endpoint.ErrDisabled.
func (s *Service) Submit(ctx context.Context, r Request) (Status, error) {
	p, err := normalise(r.Push)
	if err != nil {
		return Status{}, err
	}
	if r.Idempotency != nil {
		k := idempotencyKey{r.Idempotency.Token, r.Idempotency.Key}
		if !s.claim(k) {
			return Status{}, ErrKeyBusy
		}
		defer s.unclaim(k)
	}
	s.posted.Store(time.Now().UnixMicro())
	t, c := s.enter(p.To), s.newClaim(p)
	st, err := s.store.AcceptPush(context.WithoutCancel(ctx), Submission{
		Push: p, Idempotency: r.Idempotency, Queue: s.bound(), Claim: c.ask(),
	})
	c.end(st.Ended)
	if err != nil || st.Replayed {
		s.leave(t)
		return st, err
	}
	s.m.accepted.Inc()
	p.ID, p.Created = st.ID, st.Created
	if p.TTL == 0 {
		return s.nowOrNever(ctx, t, p, st)
	}
	s.handDue(t, p)
	return st, nil
}

// bound is what may wait for one endpoint.
func (s *Service) bound() Queue {
	return Queue{Count: s.cfg.QueueCount, Bytes: s.cfg.QueueBytes, DropOldest: s.cfg.QueuePolicy == DropOldest}
}

func (s *Service) claim(k idempotencyKey) bool {
	s.keysMu.Lock()
	defer s.keysMu.Unlock()
	if _, busy := s.keys[k]; busy {
		return false
	}
	s.keys[k] = struct{}{}
	return true
}

func (s *Service) unclaim(k idempotencyKey) {
	s.keysMu.Lock()
	defer s.keysMu.Unlock()
	delete(s.keys, k)
}

// enter announces a request to the endpoint's lane: while more than one is under way, their pushes go through the store, which knows their order.
func (s *Service) enter(k endpoint.Key) ticket {
	l := s.lane(k)
	if l == nil {
		return ticket{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.submitting++
	if l.reading { // it may see the push that is about to be stored
		return ticket{l, l.rounds - 1}
	}
	return ticket{l, l.rounds}
}

// leave takes back enter for a request that brought nothing new.
func (s *Service) leave(t ticket) {
	if t.lane == nil {
		return
	}
	t.lane.mu.Lock()
	defer t.lane.mu.Unlock()
	t.lane.submitting--
}

// quietLocked reports whether the push of this request is the only one that the session may have to be sent.
func (l *lane) quietLocked(t ticket) bool {
	return !l.waiting && !l.owned && !l.queued && len(l.now) == 0 && l.submitting == 0 && l.rounds == t.rounds
}

// handDue is hand for a push that may have to wait for its time: then releasing it is watchClock's.
func (s *Service) handDue(t ticket, p Push) {
	if p.Scheduled() {
		s.leave(t)
		return
	}
	s.hand(t, p)
}

// hand gives a push that is in the store to the session, or leaves it there and notes that it waits.
func (s *Service) hand(t ticket, p Push) {
	l := t.lane
	if l == nil {
		s.wakeLane(p.To, true)
		return
	}
	l.mu.Lock()
	l.submitting--
	if l.state == laneEnded {
		l.mu.Unlock()
		s.wakeLane(p.To, true)
		return
	}
	takes := l.takesLocked(s.cfg.Window)
	if !takes || !l.quietLocked(t) {
		l.waitLocked(takes)
		s.kickLocked(l)
		l.mu.Unlock()
		return
	}
	l.owned = true
	l.launchLocked(p)
	l.mu.Unlock()
	if err := s.send(l, p, false); err != nil {
		s.giveBack(l, []Push{p})
	}
	s.disown(l)
}

// wakeLane tells the lane of an endpoint, which may have come a moment ago, that a push waits that its last read may have missed.
func (s *Service) wakeLane(k endpoint.Key, brief bool) {
	l := s.lane(k)
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waitLocked(brief)
	s.kickLocked(l)
}

// nowOrNever hands a push with TTL 0 to the session or expires it.
func (s *Service) nowOrNever(ctx context.Context, t ticket, p Push, st Status) (Status, error) {
	select {
	case v := <-s.decideNow(t, p):
		return s.judged(ctx, st, v)
	case <-ctx.Done():
		return st, ctx.Err()
	}
}

// decideNow hands a push with TTL 0 to the session or expires it, and returns where the verdict comes.
func (s *Service) decideNow(t ticket, p Push) chan verdict {
	s.leave(t)
	u := urgent{push: p, verdict: make(chan verdict, 1)}
	if l := s.lane(p.To); l != nil {
		s.handNow(l, t, u)
	} else {
		s.expireNow(u)
	}
	return u.verdict
}

func (s *Service) handNow(l *lane, t ticket, u urgent) {
	l.mu.Lock()
	if l.state == laneEnded || l.pausedLocked() || l.stalled || l.onWay >= s.cfg.Window {
		l.mu.Unlock()
		s.expireNow(u)
		return
	}
	if l.state == laneOpening || !l.quietLocked(t) {
		l.now = append(l.now, u)
		l.waitLocked(true)
		s.kickLocked(l)
		l.mu.Unlock()
		return
	}
	l.owned = true
	l.launchLocked(u.push)
	l.mu.Unlock()
	s.sendUrgent(l, u)
	s.disown(l)
}

// expireNow ends a push with TTL 0 that no session took. It may be called with any lock held.
func (s *Service) expireNow(u urgent) {
	at := time.Now()
	s.scribe.add(write{
		t:    Transition{ID: u.push.ID, To: Expired, Key: u.push.To, At: at, Reason: ReasonOffline},
		done: func(o Outcome, err error) { u.verdict <- verdict{expired: true, outcome: o, at: at, err: err} },
	})
}

// judged is the answer to a request with TTL 0.
func (s *Service) judged(ctx context.Context, st Status, v verdict) (Status, error) {
	switch {
	case v.err != nil:
		return st, v.err
	case !v.expired:
		return st, nil
	case v.outcome.Applied:
		st.State = Expired
		st.History = append(st.History, Change{State: Expired, At: v.at, Reason: ReasonOffline})
		return st, nil
	}
	return s.Status(ctx, st.To.Domain, st.ID)
}
