package store

import (
	"context"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/store/outbox"
	"signalbox/internal/store/pushes"
)

// releasePushes puts pushes that are due into their endpoints' queues.
type releasePushes struct {
	now   time.Time
	limit int

	out []endpoint.Key
}

// ReleasePushes implements push.Writer. Where nothing is due it writes nothing.
func (s *Store) ReleasePushes(ctx context.Context, now time.Time, limit int) ([]endpoint.Key, error) {
	if due, err := s.reader.pushes.AnyDue(ctx, now); err != nil || !due {
		return nil, err
	}
	op := &releasePushes{now: now, limit: limit}
	if err := s.doSized(ctx, op, limit); err != nil {
		return nil, err
	}
	return op.out, nil
}

func (op *releasePushes) apply(t *tx) error {
	op.out = nil
	ids, keys, err := t.push.Due(op.now.UnixMicro(), op.limit)
	if err != nil {
		return err
	}
	seen := make(map[endpoint.Key]bool, len(keys))
	for i, id := range ids {
		if err := t.push.Release(id); err != nil {
			return err
		}
		if !seen[keys[i]] {
			seen[keys[i]] = true
			op.out = append(op.out, keys[i])
		}
	}
	return nil
}

// admitLate makes targets of endpoints that came to match.
type admitLate struct {
	now   time.Time
	queue push.Queue
	claim push.Claim
	enter push.Enter

	out  push.Admission
	more bool
}

// Bounds of one transaction: each endpoint is compared with each fan-out, and most match few.
const (
	maxJoiners  = 100
	maxAdmitted = 500
)

// AdmitLate implements push.Writer. Where there is nothing to do it writes nothing.
func (s *Store) AdmitLate(ctx context.Context, now time.Time, q push.Queue, claim push.Claim, enter push.Enter) (push.Admission, bool, error) {
	if any, err := s.reader.pushes.AnyLate(ctx, now); err != nil || !any {
		return push.Admission{}, false, err
	}
	op := &admitLate{now: now, queue: q, claim: claim, enter: enter}
	if err := s.doSized(ctx, op, maxJoiners); err != nil {
		return push.Admission{}, false, err
	}
	return op.out, op.more, nil
}

func (op *admitLate) apply(t *tx) error {
	op.out, op.more = push.Admission{}, false
	over, err := t.push.LateOver(op.now.UnixMicro(), maxJoiners)
	if err != nil {
		return err
	}
	for _, id := range over {
		if err := t.closeLate(id); err != nil {
			return err
		}
	}
	all, err := t.push.Joiners(maxJoiners)
	if err != nil {
		return err
	}
	op.more = len(all) == maxJoiners || len(over) == maxJoiners
	open, err := t.push.LateFanouts(op.now.UnixMicro())
	for i := 0; err == nil && i < len(all); i++ {
		if len(op.out.Targets) >= maxAdmitted {
			op.more = true
			return nil
		}
		err = op.join(t, &all[i], open)
	}
	return err
}

// join makes an endpoint a target of those fan-outs that it matches and has not met. A fan-out that is still being accepted comes to it by itself.
func (op *admitLate) join(t *tx, j *pushes.Joiner, open []push.Fanout) error {
	var met map[push.ID]bool // read once somebody asks
	for i := range open {
		f := &open[i]
		if j.Key.ID == "" || f.To.Domain != j.Key.Domain || j.Num > f.Reached || !f.Selector.Matches(j.Labels, j.Groups) {
			continue
		}
		if met == nil {
			var err error
			if met, err = t.push.Met(j); err != nil {
				return err
			}
		}
		if !met[f.ID] {
			if err := op.admit(t, j, f); err != nil {
				return err
			}
		}
	}
	return t.push.Looked(j.Num)
}

// admit stores one more target of a fan-out, which ends with the others.
func (op *admitLate) admit(t *tx, j *pushes.Joiner, f *push.Fanout) error {
	p := f.Push
	p.To, p.Fanout, p.Created, p.TTL = j.Key, f.ID, t.now, f.Expires().Sub(t.now)
	if p.TTL <= 0 {
		return nil // it ends in this moment
	}
	var err error
	if p.Payload, err = t.push.BodyOf(f.ID); err != nil {
		return err
	}
	c, err := t.push.Candidate(j.Key)
	if err != nil {
		return err
	}
	if p.ID, err = t.nextPush(); err != nil {
		return err
	}
	r := room{t: t, key: j.Key, bound: op.queue, claim: op.claim}
	reason, err := r.find(c, &p)
	if err != nil {
		return err
	}
	refused := 0
	if reason != "" {
		refused = 1
		err = t.push.RefuseTarget(p.ID, &p, j.Key.ID, reason)
	} else {
		err = op.insert(t, &p, j.Num, &r)
	}
	if err != nil {
		return err
	}
	f.Targets, f.Stored, f.Refused = f.Targets+1, f.Stored+1, f.Refused+refused
	op.out.Targets = append(op.out.Targets, push.Admitted{ID: p.ID, Fanout: f.ID, To: j.Key, Reason: reason})
	return t.push.GrowFanout(&p, f, 1, refused)
}

func (op *admitLate) insert(t *tx, p *push.Push, ep int64, r *room) error {
	if op.enter != nil {
		op.enter(r.key)
	}
	ended, err := r.make(ep, p.ID)
	if err != nil {
		return err
	}
	op.out.Ended = append(op.out.Ended, ended...)
	if err := t.push.Insert(ep, p); err != nil {
		return err
	}
	return t.insertEvent(outbox.Event{At: t.now.UnixMicro(), Kind: 0, Ep: ep, Push: p.ID})
}

// CloseFanout implements push.Writer.
func (s *Store) CloseFanout(ctx context.Context, domain string, id push.ID) error {
	return s.try(ctx, func(t *tx) error {
		f, err := t.push.FindFanout(id)
		if err == nil && f.To.Domain != domain {
			err = push.ErrUnknown
		}
		if err != nil {
			return err
		}
		return t.cancelFanout(id)
	}, push.ErrUnknown)
}

// closeLate ends the late joining of a fan-out that has expired; its payload goes if no target needs it any more.
func (t *tx) closeLate(id push.ID) error {
	t.closeTargets(id, 0)
	return t.push.CloseLate(id)
}

// cancelFanout ends the late joining of a fan-out, and has endReturned end what comes back of it.
func (t *tx) cancelFanout(id push.ID) error {
	t.closeTargets(id, 0)
	return t.push.CancelFanout(id)
}
