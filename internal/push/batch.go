package push

import "context"

// MaxBatch bounds the pushes of one batch.
const MaxBatch = 1000

// BatchRequest is many pushes, each for one endpoint, that are to be made durable together.
type BatchRequest struct {
	Items       []Push       // 1 to MaxBatch, as in Request
	Errs        []error      // mistakes that are known already, nil: none; one for each push
	Idempotency *Idempotency // of the whole; nil: none
}

// BatchSubmission is a batch that is to be accepted.
type BatchSubmission struct {
	Items       []Push
	Errs        []error // of a push that is not to be accepted; nil: it is; one for each push
	Idempotency *Idempotency
	Queue       Queue
	Claim       Claim
}

// BatchItem is what became of one push of a batch.
type BatchItem struct {
	Status Status
	Err    error // why it was not accepted: its mistakes, endpoint.ErrUnknown, endpoint.ErrDisabled, ErrQueueFull, or ErrBusy or ErrNoSpace behind others that were; nil: it was
}

// AcceptedBatch is what became of a batch.
type AcceptedBatch struct {
	Items    []BatchItem // one for each push, in their order
	Ended    []Ended
	Replayed bool
}

// SubmitBatch makes pushes durable, some hundred in each transaction, and hands them to their sessions as Submit does. One that is refused hinders no other. A repeated request
// is answered as it was, with Replayed, or goes on where the first one was interrupted.
//
// Errors, where nothing is stored: ErrKeyBusy, ErrKeyReused, ErrBusy, ErrNoSpace.
func (s *Service) SubmitBatch(ctx context.Context, r BatchRequest) (AcceptedBatch, error) {
	b := BatchSubmission{Items: make([]Push, len(r.Items)), Errs: make([]error, len(r.Items)), Idempotency: r.Idempotency, Queue: s.bound()}
	for i, p := range r.Items {
		if b.Errs[i] = r.Errs[i]; b.Errs[i] == nil {
			b.Items[i], b.Errs[i] = normalise(p)
		}
	}
	if r.Idempotency != nil {
		k := idempotencyKey{r.Idempotency.Token, r.Idempotency.Key}
		if !s.claim(k) {
			return AcceptedBatch{}, ErrKeyBusy
		}
		defer s.unclaim(k)
	}
	tickets, c := make([]ticket, len(b.Items)), &claim{s: s}
	for i, p := range b.Items {
		if b.Errs[i] == nil {
			tickets[i] = s.enter(p.To)
		}
	}
	b.Claim = c.take
	out, err := s.store.AcceptBatch(context.WithoutCancel(ctx), b)
	c.end(out.Ended)
	if err != nil || out.Replayed {
		for _, t := range tickets {
			s.leave(t)
		}
		return out, err
	}
	return out, s.handBatch(ctx, b.Items, out.Items, tickets)
}

// handBatch gives the accepted pushes of a batch to their sessions, and waits for the verdicts on those with TTL 0.
func (s *Service) handBatch(ctx context.Context, ps []Push, items []BatchItem, tickets []ticket) error {
	verdicts := map[int]chan verdict{}
	for i := range items {
		p := ps[i]
		if items[i].Err != nil || items[i].Status.Replayed {
			s.leave(tickets[i])
			continue
		}
		s.m.accepted.Inc()
		p.ID, p.Created = items[i].Status.ID, items[i].Status.Created
		if p.TTL == 0 {
			verdicts[i] = s.decideNow(tickets[i], p)
			continue
		}
		s.handDue(tickets[i], p)
	}
	for i, c := range verdicts {
		select {
		case v := <-c:
			var err error
			if items[i].Status, err = s.judged(ctx, items[i].Status, v); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
