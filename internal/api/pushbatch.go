package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"signalbox/internal/access"
	"signalbox/internal/push"
)

func (s *Server) registerBatch() {
	register(s, route{
		id: "create-pushes", method: http.MethodPost, path: "/v1/pushes/batch", tag: "pushes", summary: "Push up to 1,000 pushes at once",
		doc: "Each item is a push to one endpoint, as POST /v1/pushes takes it, and has a result of its own in the same place: the push, or the problem that it has. " +
			"One that is refused hinders no other. The answer comes when all that were accepted are on stable storage; it is 202 also where none was. Where the disk fails in the middle, the rest has that problem. " +
			"Pushes for one endpoint keep their order. With an Idempotency-Key the first answer comes again, and what was interrupted goes on. A body that is not what this page shows is refused as a whole.",
		huge: true, scope: access.ScopePush, status: http.StatusAccepted,
		problems: []kind{idempotencyKeyReused, idempotencyInProgress, insufficientStorage},
		example: map[string]any{"items": []any{
			map[string]any{"to": "pc-1", "type": "policy.refresh"}, map[string]any{"to": "pc-2", "type": "demo.ping", "payload": map[string]int{"n": 1}, "ttl": 60},
		}},
	}, s.createPushes)
}

type batchCreate struct {
	Items []pushCreate `json:"items" minItems:"1" maxItems:"1000" nullable:"false" doc:"The pushes; to is the id of one endpoint."`
}

type batchHeaders struct {
	IdempotencyKey string `header:"Idempotency-Key" minLength:"1" maxLength:"255" doc:"Printable ASCII; makes it safe to send the request again."`
}

type batchReceipt struct {
	_        struct{}    `additionalProperties:"true"`
	Items    []batchItem `json:"items" nullable:"false" doc:"One for each push, in their order."`
	Accepted int         `json:"accepted" doc:"How many are on stable storage."`
	Refused  int         `json:"refused" doc:"How many have a problem."`
}

type batchItem struct {
	_       struct{}   `additionalProperties:"true"`
	ID      string     `json:"id,omitempty" example:"psh_0123456789abc"`
	State   push.State `json:"state,omitempty" enum:"accepted,sent,delivered,handled,failed,expired,replaced,cancelled,rejected"`
	To      string     `json:"to,omitempty"`
	Problem *Problem   `json:"problem,omitempty" doc:"Why it was not accepted; its pointers lead into the body of the request."`
}

type acceptedBatch struct {
	Replayed string `header:"Idempotency-Replayed"`
	Body     batchReceipt
}

func (s *Server) createPushes(ctx context.Context, c call[batchHeaders, batchCreate]) (*acceptedBatch, error) {
	items := c.Body.Items
	if len(items) == 0 || len(items) > push.MaxBatch {
		return nil, validationFailed.at("/items", fmt.Sprintf("%d pushes, 1 to %d are allowed", len(items), push.MaxBatch))
	}
	whole := &pushReader{header: c.header}
	whole.singleHeaders()
	r := push.BatchRequest{
		Items: make([]push.Push, len(items)), Errs: make([]error, len(items)), Idempotency: whole.idempotency(c.caller.TokenID, c.Params.IdempotencyKey, c.raw),
	}
	for _, name := range []string{"TTL", "Urgency", "Topic"} {
		if c.header.Get(name) != "" {
			whole.wrongHeader(name, "it is for a single push: give it in each item")
		}
	}
	if whole.errs != nil {
		return nil, validationFailed.problem("", whole.errs...)
	}
	for i := range items {
		r.Items[i], r.Errs[i] = s.readItem(&items[i], place(i))
	}
	out, err := s.deps.Pushes.SubmitBatch(ctx, r)
	if err != nil {
		return nil, err
	}
	return s.showBatch(ctx, r, out)
}

func place(i int) string { return "/items/" + strconv.Itoa(i) }

// readItem makes one push of a batch, or says what is wrong with it.
func (s *Server) readItem(body *pushCreate, place string) (push.Push, error) {
	p := &pushReader{body: body, place: place}
	p.target(s)
	if p.many {
		p.wrong("/to", "it must be the id of one endpoint; POST /v1/pushes takes many")
	}
	if problem := p.content(s, &pushHeaders{}); problem != nil {
		return push.Push{}, problem
	}
	if p.errs != nil {
		return push.Push{}, validationFailed.problem("", p.errs[:min(len(p.errs), maxFieldErrors)]...)
	}
	return p.request.Push, nil
}

func (s *Server) showBatch(ctx context.Context, r push.BatchRequest, out push.AcceptedBatch) (*acceptedBatch, error) {
	answer := &acceptedBatch{Body: batchReceipt{Items: make([]batchItem, len(out.Items))}}
	if out.Replayed {
		answer.Replayed = "true"
	}
	for i, item := range out.Items {
		shown := &answer.Body.Items[i]
		if item.Err == nil {
			*shown = batchItem{ID: item.Status.ID.String(), State: item.Status.State, To: item.Status.To.ID}
			if item.Status.Replayed {
				shown.State = s.firstState(ctx, item.Status)
			}
			answer.Body.Accepted++
			continue
		}
		shown.To = r.Items[i].To.ID
		if !errors.As(pushMistake(item.Err, place(i)), &shown.Problem) {
			return nil, item.Err
		}
		answer.Body.Refused++
	}
	return answer, nil
}
