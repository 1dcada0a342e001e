package store

import (
	"context"
	"fmt"

	"signalbox/internal/push"
)

// acceptTargets makes the next targets of a fan-out durable.
type acceptTargets struct {
	in push.FanoutChunk

	out    push.AcceptedChunk
	result error
}

// AcceptTargets implements push.Writer.
func (s *Store) AcceptTargets(ctx context.Context, in push.FanoutChunk) (push.AcceptedChunk, error) {
	op := &acceptTargets{in: in}
	if err := s.doSized(ctx, op, len(in.To)); err != nil {
		return push.AcceptedChunk{}, err
	}
	return op.out, op.result
}

func (op *acceptTargets) apply(t *tx) error {
	op.out = push.AcceptedChunk{}
	return expected(&op.result, op.accept(t), push.ErrKeyReused)
}

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
	f, err := t.findFanout(p.Fanout)
	if err != nil {
		return err
	}
	if f.Stored != op.in.Stored || f.Stored+len(op.in.To) > f.Targets {
		return fmt.Errorf("%s has %d of %d targets, %d more are offered behind %d", f.ID, f.Stored, f.Targets, len(op.in.To), op.in.Stored)
	}
	refused, err := op.insert(t, &p)
	if err != nil {
		return err
	}
	f.Stored += len(op.in.To)
	f.Refused += refused
	f.Open += len(op.in.To) - refused
	op.out.Fanout, op.out.Created = f, p.Created
	return t.growFanout(&p, len(op.in.To), refused)
}

// replay answers a request that was answered, or begun, before.
func (op *acceptTargets) replay(t *tx) (done bool, err error) {
	if op.in.Idempotency == nil {
		return false, nil
	}
	used, found, err := t.findKey(op.in.Idempotency)
	if err != nil || !found {
		return false, err
	}
	if used.body != op.in.Idempotency.Body {
		return false, push.ErrKeyReused
	}
	op.out.Fanout, err = t.findFanout(used.push)
	op.out.Fanout.Replayed = true
	return true, err
}

// create makes the fan-out, without targets.
func (op *acceptTargets) create(t *tx, p push.Push) (push.ID, error) {
	id, err := t.nextPush()
	if err != nil {
		return 0, err
	}
	p.ID = id
	if err := t.insertFanout(&p, op.in.Targets); err != nil {
		return 0, err
	}
	if op.in.Idempotency == nil {
		return id, nil
	}
	return id, t.insertKey(op.in.Idempotency, id, t.now)
}

// insert stores the targets of this chunk and returns how many are refused.
func (op *acceptTargets) insert(t *tx, p *push.Push) (refused int, err error) {
	all, err := t.candidates(p.To.Domain, op.in.To)
	if err != nil {
		return 0, err
	}
	first, err := t.nextPushes(len(all))
	if err != nil {
		return 0, err
	}
	nums := make([]int64, len(all))
	op.out.Targets = make([]push.Target, len(all))
	for i, c := range all {
		target := push.Target{ID: first + push.ID(i), Reason: refusal(c, p, op.in.Queue)}
		op.out.Targets[i] = target
		if target.Reason == "" {
			nums[i] = c.num
			continue
		}
		refused++
		if err := t.refuseTarget(target.ID, p, op.in.To[i], target.Reason); err != nil {
			return 0, err
		}
	}
	if refused == len(all) {
		return refused, nil
	}
	return refused, t.insertTargets(p, first, nums)
}

// refusal says why an endpoint does not get a push, or nothing.
func refusal(c candidate, p *push.Push, bound push.Queue) string {
	switch {
	case c.num == 0:
		return push.ReasonUnknown
	case !c.enabled:
		return push.ReasonDisabled
	case p.TTL > 0 && full(bound, c.count, c.bytes, int64(len(p.Payload))):
		return push.ReasonQueueFull
	}
	return ""
}
