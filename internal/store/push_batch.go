package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"signalbox/internal/push"
)

// batchChunk is how many pushes of a batch one transaction stores: others are written between two.
const batchChunk = 250

// AcceptBatch implements push.Writer. Where the disk fails behind the first transaction, the pushes that are not stored have that error; a repeated request with its
// key goes on there.
func (s *Store) AcceptBatch(ctx context.Context, in push.BatchSubmission) (push.AcceptedBatch, error) {
	var out push.AcceptedBatch
	op := &acceptBatch{in: in}
	for len(out.Items) < len(in.Items) {
		op.first = len(out.Items)
		op.last = min(op.first+batchChunk, len(in.Items))
		err := s.doSized(ctx, op, op.last-op.first)
		if err == nil {
			err = op.result
		}
		if err != nil && op.first == 0 {
			return push.AcceptedBatch{}, err
		}
		if err != nil {
			for i := op.first; i < len(in.Items); i++ {
				out.Items = append(out.Items, push.BatchItem{Err: cmp.Or(in.Errs[i], err)})
			}
			return out, nil
		}
		out.Items, out.Ended = append(out.Items, op.items...), append(out.Ended, op.ended...)
		op.id, op.answers = op.newID, op.newAnswers
		out.Replayed = op.replayed && len(op.items) == len(in.Items)
	}
	return out, nil
}

// acceptBatch makes pushes of a batch durable, each for itself.
type acceptBatch struct {
	in          push.BatchSubmission
	first, last int
	id          push.ID  // of the batch; 0: it has none
	answers     []answer // to the pushes before first

	items      []push.BatchItem
	ended      []push.Ended
	replayed   bool // the items are those of an earlier request
	newID      push.ID
	newAnswers []answer
	result     error
}

func (op *acceptBatch) apply(t *tx) error {
	op.items, op.ended, op.newID, op.newAnswers, op.replayed = nil, nil, op.id, slices.Clone(op.answers), false
	return expected(&op.result, op.accept(t), push.ErrKeyReused)
}

func (op *acceptBatch) accept(t *tx) error {
	if op.first == 0 {
		if done, err := op.replay(t); done || err != nil {
			return err
		}
	}
	for i := op.first; i < op.last; i++ {
		item := push.BatchItem{Err: op.in.Errs[i]}
		var a answer
		if item.Err == nil {
			one := acceptPush{in: push.Submission{Push: op.in.Items[i], Queue: op.in.Queue, Claim: op.in.Claim}}
			if err := one.apply(t); err != nil {
				return err
			}
			op.ended = append(op.ended, one.out.Ended...)
			item.Status, item.Err = one.out, one.result
			item.Status.Ended = nil
			a = answer{ID: int64(one.out.ID), Error: codeOf(one.result)}
		}
		op.items, op.newAnswers = append(op.items, item), append(op.newAnswers, a)
	}
	if op.in.Idempotency == nil {
		return nil
	}
	return op.keep(t)
}

// keep writes the answers for a repetition of the request.
func (op *acceptBatch) keep(t *tx) error {
	text, err := json.Marshal(op.newAnswers)
	if err != nil {
		return fmt.Errorf("encode answers: %w", err)
	}
	if op.id != 0 {
		return t.push.UpdateBatch(op.id, string(text))
	}
	if op.newID, err = t.nextPush(); err != nil {
		return err
	}
	if err := t.push.InsertBatch(op.newID, string(text), t.now); err != nil {
		return err
	}
	return t.push.InsertKey(op.in.Idempotency, op.newID, t.now)
}

// answer is what became of one push of a batch, as it is kept: its id, or why there is none, or nothing where its request had mistakes.
type answer struct {
	ID    int64  `json:"i,omitempty"`
	Error string `json:"e,omitempty"`
}

func codeOf(err error) string {
	for code, known := range refusalErrors {
		if errors.Is(err, known) {
			return code
		}
	}
	return ""
}

// replay answers a batch that was answered, or begun, before, from the request, which is the same, and what is kept of the answers.
func (op *acceptBatch) replay(t *tx) (done bool, err error) {
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
	text, err := t.push.BatchAnswers(used.Push)
	if err != nil {
		return false, err
	}
	var answers []answer
	if err := json.Unmarshal([]byte(text), &answers); err != nil || len(answers) > len(op.in.Items) {
		return false, push.ErrKeyReused // the key was used for something else than a batch
	}
	for i, a := range answers {
		op.items = append(op.items, op.again(i, a, used.Created))
	}
	op.newID, op.newAnswers, op.replayed = used.Push, answers, true
	return true, nil
}

// again makes the first answer to one push.
func (op *acceptBatch) again(i int, a answer, created time.Time) push.BatchItem {
	switch {
	case a.ID != 0:
		p := op.in.Items[i]
		p.ID, p.Created, p.Payload = push.ID(a.ID), created, nil
		return push.BatchItem{Status: push.Status{Push: p, State: push.Accepted, History: []push.Change{{State: push.Accepted, At: created}}, Replayed: true}}
	case a.Error != "":
		return push.BatchItem{Err: refusalErrors[a.Error]}
	case op.in.Errs[i] != nil:
		return push.BatchItem{Err: op.in.Errs[i]}
	}
	return push.BatchItem{Err: push.FieldErrors{{Pointer: "/not_before", Detail: "was not before the end of the ttl"}}}
}
