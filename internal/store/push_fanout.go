package store

import (
	"context"
	"errors"
	"fmt"
	"math"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/store/pushes"
)

// acceptTargets makes the next targets of a fan-out durable.
type acceptTargets struct {
	in   push.FanoutChunk
	tags []string // of the selector, the rarest first; nil: there is a list

	out    push.AcceptedChunk
	result error
}

// AcceptTargets implements push.Writer.
func (s *Store) AcceptTargets(ctx context.Context, in push.FanoutChunk) (push.AcceptedChunk, error) {
	op, size := &acceptTargets{in: in}, len(in.To)
	if in.To == nil {
		var err error
		if op.tags, err = s.reader.pushes.RarestFirst(ctx, in.Push.To.Domain, in.Selector); err != nil {
			return push.AcceptedChunk{}, err
		}
		size = in.Limit
	}
	if err := s.doSized(ctx, op, size); err != nil {
		return push.AcceptedChunk{}, err
	}
	if errors.Is(op.result, errRefused) {
		return push.AcceptedChunk{}, in.Refuse
	}
	return op.out, op.result
}

func (op *acceptTargets) apply(t *tx) error {
	op.out = push.AcceptedChunk{}
	return expected(&op.result, op.accept(t), push.ErrKeyReused, push.ErrLateFull, errRefused)
}

// errRefused stands for FanoutChunk.Refuse, which may be no error that can be compared.
var errRefused = errors.New("refused")

func (op *acceptTargets) accept(t *tx) error {
	p := op.in.Push
	p.Created, p.Fanout = t.now, p.ID
	if p.ID == 0 {
		if done, err := op.replay(t); done || err != nil {
			return err
		}
		var err error
		if p.ID, err = op.create(t, p); err != nil {
			return err
		}
		p.Fanout = p.ID
	}
	f, err := t.push.FindFanout(p.Fanout)
	if err != nil {
		return err
	}
	ended, err := t.push.Cancelled(f.ID)
	if err != nil {
		return err
	}
	if ended {
		return op.finish(t, &p, &f)
	}
	targets, err := op.targets(t, &f)
	if err != nil {
		return err
	}
	refused, err := op.insert(t, &p, targets)
	if err != nil {
		return err
	}
	f.Stored += len(targets)
	f.Refused += refused
	f.Open += len(targets) - refused
	if op.in.To == nil {
		op.move(&f, targets)
	}
	op.out.Fanout, op.out.Created = f, p.Created
	return t.push.GrowFanout(&p, &f, len(targets), refused)
}

// targets returns the endpoints of this chunk.
func (op *acceptTargets) targets(t *tx, f *push.Fanout) ([]pushes.Candidate, error) {
	if op.in.To == nil {
		return t.push.Members(f.To.Domain, op.tags, f.Reached, op.in.Limit)
	}
	if f.Stored != op.in.Stored || f.Stored+len(op.in.To) > f.Targets {
		return nil, fmt.Errorf("%s has %d of %d targets, %d more are offered behind %d", f.ID, f.Stored, f.Targets, len(op.in.To), op.in.Stored)
	}
	return t.push.Candidates(f.To.Domain, op.in.To)
}

// finish leaves a fan-out that was cancelled meanwhile with the targets that it has, and says so whenever its request is repeated.
func (op *acceptTargets) finish(t *tx, p *push.Push, f *push.Fanout) error {
	f.Targets, f.Reached = f.Stored, math.MaxInt64
	op.out.Fanout, op.out.Created = *f, p.Created
	return t.push.GrowFanout(p, f, 0, 0)
}

// move notes how far the endpoints were asked whether they match. Behind the last chunk all have been, also those that are not there yet: they are late.
func (op *acceptTargets) move(f *push.Fanout, targets []pushes.Candidate) {
	if len(targets) < op.in.Limit {
		f.Reached, f.Targets = math.MaxInt64, f.Stored
		return
	}
	f.Reached = targets[len(targets)-1].Num
	f.Targets = max(f.Targets, f.Stored)
}

// replay answers a request that was answered, or begun, before.
func (op *acceptTargets) replay(t *tx) (done bool, err error) {
	if op.in.Idempotency == nil {
		return false, nil
	}
	used, found, err := t.push.FindKey(op.in.Idempotency)
	if err != nil || !found {
		return false, err
	}
	if used.Body != op.in.Idempotency.Body {
		return false, push.ErrKeyReused
	}
	op.out.Fanout, err = t.push.FindFanout(used.Push)
	op.out.Fanout.Replayed = true
	return true, err
}

// create makes the fan-out, without targets.
func (op *acceptTargets) create(t *tx, p push.Push) (push.ID, error) {
	if op.in.Refuse != nil {
		return 0, errRefused
	}
	if op.in.Late {
		n, err := t.push.CountLate()
		if err != nil {
			return 0, err
		}
		if n >= push.MaxLate {
			return 0, push.ErrLateFull
		}
	}
	id, err := t.nextPush()
	if err != nil {
		return 0, err
	}
	p.ID = id
	if err := t.push.InsertFanout(&p, &op.in); err != nil {
		return 0, err
	}
	if op.in.Idempotency == nil {
		return id, nil
	}
	return id, t.push.InsertKey(op.in.Idempotency, id, t.now)
}

// insert stores the targets of this chunk and returns how many are refused.
func (op *acceptTargets) insert(t *tx, p *push.Push, all []pushes.Candidate) (refused int, err error) {
	if len(all) == 0 {
		return 0, nil
	}
	first, err := t.nextPushes(len(all))
	if err != nil {
		return 0, err
	}
	taken := make([]pushes.Candidate, len(all))
	op.out.Targets = make([]push.Target, len(all))
	for i, c := range all {
		r := room{t: t, key: endpoint.Key{Domain: p.To.Domain, ID: c.ID}, bound: op.in.Queue, claim: op.in.Claim}
		target := push.Target{ID: first + push.ID(i), To: c.ID}
		if target.Reason, err = r.find(c, p); err != nil {
			return 0, err
		}
		op.out.Targets[i] = target
		if target.Reason != "" {
			refused++
			if err := t.push.RefuseTarget(target.ID, p, c.ID, target.Reason); err != nil {
				return 0, err
			}
			continue
		}
		taken[i] = c
		if op.in.Enter != nil {
			op.in.Enter(r.key)
		}
		ended, err := r.make(c.Num, target.ID)
		if err != nil {
			return 0, err
		}
		op.out.Ended = append(op.out.Ended, ended...)
	}
	if refused == len(all) {
		return refused, nil
	}
	return refused, t.insertTargets(p, first, taken)
}

// refusal says why an endpoint does not get a push, or nothing.
func refusal(c pushes.Candidate, p *push.Push, bound push.Queue) string {
	switch {
	case c.Num == 0:
		return push.ReasonUnknown
	case !c.Enabled:
		return push.ReasonDisabled
	case p.TTL > 0 && full(bound, c.Count, c.Bytes, int64(len(p.Payload))):
		return push.ReasonQueueFull
	}
	return ""
}
