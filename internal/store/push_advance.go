package store

import (
	"encoding/json"
	"time"

	"signalbox/internal/push"
	"signalbox/internal/store/outbox"
	"signalbox/internal/store/pushes"
)

// advancePushes applies transitions, each from the state that it finds.
type advancePushes struct {
	in  []push.Transition
	out []push.Outcome
}

// AdvancePushes implements push.Writer. done is called by the committer's answering goroutine, also with push.ErrBusy; only when the store is closed it is called
// at once with ErrClosed. Without done the transitions stay queued while the disk is full or busy, and are dropped and counted where too many wait.
func (s *Store) AdvancePushes(ts []push.Transition, done func([]push.Outcome, error)) {
	op := &advancePushes{in: ts}
	e := &entry{op: op, size: max(1, len(ts))}
	if done != nil {
		e.call = func(err error) {
			if err != nil {
				done(nil, err)
				return
			}
			done(op.out, nil)
		}
	}
	s.put(e)
}

func (op *advancePushes) apply(t *tx) error {
	op.out = make([]push.Outcome, len(op.in))
	if err := t.readRows(len(op.in), func(i int) push.ID { return op.in[i].ID }); err != nil {
		return err
	}
	for i := range op.in {
		if err := op.advance(t, &op.in[i], &op.out[i]); err != nil {
			return err
		}
	}
	return nil
}

func (op *advancePushes) advance(t *tx, in *push.Transition, out *push.Outcome) error {
	row, err := t.findPush(in.ID)
	if err != nil || row == nil || row.Key != in.Key {
		return err
	}
	*out = push.Outcome{Found: true, State: row.State, Ack: row.Ack, Fanout: row.Fanout}
	if push.Next(row.State, in.To, row.Ack) {
		if err := change(t, row, in.To, in.At, in.Reason, in.Result); err != nil {
			return err
		}
		out.Applied = true
	}
	if in.To == push.Accepted && row.State == push.Accepted {
		ended, err := endReturned(t, row)
		if err != nil {
			return err
		}
		out.Applied = out.Applied || ended
	}
	out.State = row.State
	return nil
}

// endReturned ends a push that has come back, or was given back, if its fan-out was cancelled, or if a newer one with its collapse key waits or was sent. It reports whether
// it did.
func endReturned(t *tx, row *pushes.Row) (ended bool, err error) {
	if row.Fanout != 0 {
		if ended, err = t.push.Cancelled(row.Fanout); err != nil {
			return false, err
		}
	}
	switch {
	case ended:
		return true, change(t, row, push.Cancelled, t.now, push.ReasonCancelled, nil)
	case row.Collapse == "":
		return false, nil
	}
	newer, err := t.push.NewerThan(row)
	if err != nil || newer == 0 {
		return false, err
	}
	return true, replace(t, row, newer)
}

// replace ends a waiting push because of a newer one.
func replace(t *tx, row *pushes.Row, newer push.ID) error {
	return change(t, row, push.Replaced, t.now, pushes.ByNewer(push.ReasonCollapsed, newer), nil)
}

// change takes a push to another state, with history and event. The row is written before anybody else looks at it: what happens to one push in a row, such as
// the write to its session and the receipt, is one write.
func change(t *tx, r *pushes.Row, to push.State, at time.Time, reason string, result json.RawMessage) error {
	if at.IsZero() {
		at = t.now
	}
	micros, code := at.UnixMicro(), pushes.StateCode(to)
	bounded, err := pushes.BoundHistory(r.History)
	if err != nil {
		return err
	}
	r.History, r.State = pushes.AppendChange(bounded, code, micros, reason), to
	if push.Final(to, r.Ack) {
		r.Ended = micros
	}
	if result != nil {
		r.Result = result
	}
	t.touch(r)
	return t.insertEvent(outbox.Event{At: micros, Kind: code, Ep: r.Ep, Push: r.ID, Data: reason})
}
