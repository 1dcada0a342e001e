package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"signalbox/internal/push"
)

// acceptBatch makes many pushes durable, each for itself.
type acceptBatch struct {
	in push.BatchSubmission

	out    push.AcceptedBatch
	result error
}

// AcceptBatch implements push.Writer.
func (s *Store) AcceptBatch(ctx context.Context, in push.BatchSubmission) (push.AcceptedBatch, error) {
	op := &acceptBatch{in: in}
	if err := s.doSized(ctx, op, len(in.Items)); err != nil {
		return push.AcceptedBatch{}, err
	}
	return op.out, op.result
}

func (op *acceptBatch) apply(t *tx) error {
	op.out = push.AcceptedBatch{Items: make([]push.BatchItem, len(op.in.Items))}
	return expected(&op.result, op.accept(t), push.ErrKeyReused)
}

func (op *acceptBatch) accept(t *tx) error {
	if done, err := op.replay(t); done || err != nil {
		return err
	}
	answers := make([]answer, len(op.in.Items))
	for i, p := range op.in.Items {
		item := &op.out.Items[i]
		if item.Err = op.in.Errs[i]; item.Err != nil {
			continue
		}
		one := acceptPush{in: push.Submission{Push: p, Queue: op.in.Queue, Claim: op.in.Claim}}
		if err := one.apply(t); err != nil {
			return err
		}
		item.Status, item.Err = one.out, one.result
		answers[i] = answer{ID: int64(one.out.ID), Error: codeOf(one.result)}
		op.out.Ended = append(op.out.Ended, one.out.Ended...)
		item.Status.Ended = nil
	}
	if op.in.Idempotency == nil {
		return nil
	}
	id, err := t.nextPush()
	if err != nil {
		return err
	}
	text, err := json.Marshal(answers)
	if err != nil {
		return fmt.Errorf("encode answers: %w", err)
	}
	if err := t.push.insertBatch.Run(int64(id), string(text), t.now.UnixMicro()); err != nil {
		return err
	}
	return t.insertKey(op.in.Idempotency, id, t.now)
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

// replay answers a batch that was answered before, from the request, which is the same, and what is kept of the answers.
func (op *acceptBatch) replay(t *tx) (done bool, err error) {
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
	text, err := t.batchAnswers(used.push)
	if err != nil {
		return false, err
	}
	var answers []answer
	if err := json.Unmarshal([]byte(text), &answers); err != nil || len(answers) != len(op.in.Items) {
		return false, push.ErrKeyReused // the key was used for something else than a batch
	}
	for i, a := range answers {
		op.out.Items[i] = op.again(i, a, used.created)
	}
	op.out.Replayed = true
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
