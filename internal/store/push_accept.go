package store

import (
	"context"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/store/outbox"
	"signalbox/internal/store/pushes"
)

// acceptPush makes a push durable in state Accepted.
type acceptPush struct {
	in push.Submission

	out    push.Status
	result error
}

// AcceptPush implements push.Writer. If ctx ends while it waits, the push may have been accepted all the same. A bound of 0 in s.Queue is no bound, and a push with
// TTL 0, of which nothing waits, has none.
func (s *Store) AcceptPush(ctx context.Context, in push.Submission) (push.Status, error) {
	op := &acceptPush{in: in}
	if err := s.do(ctx, op); err != nil {
		return push.Status{}, err
	}
	return op.out, op.result
}

func (op *acceptPush) apply(t *tx) error {
	return expected(&op.result, op.accept(t), endpoint.ErrUnknown, endpoint.ErrDisabled, push.ErrQueueFull, push.ErrKeyReused)
}

func (op *acceptPush) accept(t *tx) error {
	if done, err := op.replay(t); done || err != nil {
		return err
	}
	c, err := t.known(op.in.Push.To)
	if err != nil {
		return err
	}
	r := room{t: t, key: op.in.Push.To, bound: op.in.Queue, claim: op.in.Claim}
	reason, err := r.find(*c, &op.in.Push)
	if err != nil {
		return err
	}
	if reason != "" {
		return refusalErrors[reason]
	}
	c.Count++
	c.Bytes += pushes.KeptBytes(&op.in.Push)
	return op.insert(t, c.Num, &r)
}

// refusalErrors say the same as the reasons of refused targets.
var refusalErrors = map[string]error{
	push.ReasonUnknown: endpoint.ErrUnknown, push.ReasonDisabled: endpoint.ErrDisabled, push.ReasonQueueFull: push.ErrQueueFull,
}

// replay answers a request that was answered before. The first answer is made again from the request, which is the same: its push may be gone by now.
func (op *acceptPush) replay(t *tx) (done bool, err error) {
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
	op.answer(used.Push, used.Created)
	op.out.Replayed = true
	return true, nil
}

// full reports whether a queue that holds so many pushes and bytes has no room for one more push of this size.
func full(bound push.Queue, count, bytes, size int64) bool {
	return bound.Count > 0 && count+1 > int64(bound.Count) || bound.Bytes > 0 && bytes+size > int64(bound.Bytes)
}

func (op *acceptPush) insert(t *tx, ep int64, r *room) error {
	id, err := t.nextPush()
	if err != nil {
		return err
	}
	p := op.in.Push
	p.ID, p.Created = id, t.now
	if err := t.push.Insert(ep, &p); err != nil {
		return err
	}
	if op.in.Idempotency != nil {
		if err := t.push.InsertKey(op.in.Idempotency, id, t.now); err != nil {
			return err
		}
	}
	op.answer(id, t.now)
	if err := t.insertEvent(outbox.Event{At: t.now.UnixMicro(), Kind: 0, Ep: ep, Push: id}); err != nil {
		return err
	}
	op.out.Ended, err = r.make(ep, id)
	return err
}

func (op *acceptPush) answer(id push.ID, created time.Time) {
	p := op.in.Push
	p.ID, p.Created, p.Payload = id, created, nil
	op.out = push.Status{Push: p, State: push.Accepted, History: []push.Change{{State: push.Accepted, At: created}}}
}
