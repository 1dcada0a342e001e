package api

import (
	"context"
	"errors"
	"net/http"

	"signalbox/internal/access"
	"signalbox/internal/push"
)

type pushPath struct {
	ID string `path:"id" maxLength:"64" doc:"Id of the push." example:"psh_0123456789abc"`
}

type pushFilter struct {
	Paging
	Endpoint string `query:"endpoint" maxLength:"256" doc:"Only pushes for this endpoint."`
	State    string `query:"state" enum:"accepted,sent,delivered,handled,failed,expired,replaced,cancelled,rejected" doc:"Only pushes in this state."`
}

func (s *Server) registerPushes() {
	register(s, route{
		id: "create-push", method: http.MethodPost, path: "/v1/pushes", tag: "pushes", summary: "Push to an endpoint, or to many",
		doc: "The answer comes when the push is on stable storage. With an Idempotency-Key the request can be repeated safely: the first answer comes again " +
			"with 'Idempotency-Replayed: true'. TTL, Urgency and Topic are those of RFC 8030. With 'Prefer: wait=N' (RFC 7240) the answer comes when the push is done, or after N seconds, 60 at most; " +
			"without 'Preference-Applied: wait' the server could not wait so long, and the state is the last that it knew. " +
			"What the headers of RFC 8030 and the body say must not differ. " +
			"A group and labels reach the endpoints that match when the push is accepted, up to push.max_targets; where none does, the answer is no_targets unless late_joiners is true. " +
			"With many targets each target is a push of its own; one that is unknown, disabled or has a full queue is counted as rejected and hinders no other, " +
			"also where all are. Where the disk fails in the middle, the problem says how far it came.",
		large: true,
		scope: access.ScopePush, status: http.StatusAccepted,
		problems: []kind{unknownEndpoint, endpointDisabled, queueFull, idempotencyKeyReused, idempotencyInProgress, payloadTooLarge, insufficientStorage,
			noTargets, tooManyLate},
		example: map[string]any{"to": "pc-1", "type": "demo.ping", "payload": map[string]int{"n": 1}, "ttl": 60, "ack": "handled"},
	}, s.createPush)
	register(s, route{
		id: "list-pushes", method: http.MethodGet, path: "/v1/pushes", tag: "pushes", summary: "List pushes, the newest first",
		doc:   "A page ends early, with a next, when its pushes come to about 1 MiB. Targets of a push to several endpoints are pushes like all others, but for those that were rejected.",
		scope: access.ScopeRead, status: http.StatusOK,
	}, s.listPushes)
	register(s, route{
		id: "get-push", method: http.MethodGet, path: "/v1/pushes/{id}", tag: "pushes", summary: "Show a push with its history",
		doc:   "Of a push to several endpoints it shows how many targets are in which state.",
		scope: access.ScopeRead, status: http.StatusOK, problems: []kind{unknownPush},
	}, s.getPush)
	register(s, route{
		id: "cancel-push", method: http.MethodDelete, path: "/v1/pushes/{id}", tag: "pushes", summary: "Cancel a push",
		doc: "Only a push that was not sent can be cancelled. The answer shows it as it is then. Of a push to several endpoints all targets are cancelled that wait, " +
			"and those that were sent when they come back without a receipt, because their session ended.",
		scope: access.ScopePush, status: http.StatusOK, problems: []kind{unknownPush, pushNotCancellable, insufficientStorage},
	}, s.cancelPush)
	register(s, route{
		id: "list-deliveries", method: http.MethodGet, path: "/v1/pushes/{id}/deliveries", tag: "pushes", summary: "List the targets of a push, the oldest first",
		doc:   "A push to one endpoint has one. A page ends early, with a next, when its deliveries come to about 1 MiB.",
		scope: access.ScopeRead, status: http.StatusOK, problems: []kind{unknownPush},
	}, s.listDeliveries)
}

type acceptedPush struct {
	Location string `header:"Location"`
	Replayed string `header:"Idempotency-Replayed"`
	Applied  string `header:"Preference-Applied"`
	Body     either[pushReceipt, fanoutReceipt]
}

func (s *Server) createPush(ctx context.Context, c call[pushHeaders, pushCreate]) (*acceptedPush, error) {
	p, problem := s.readPush(c)
	switch {
	case problem != nil:
		return nil, problem
	case p.many:
		return s.createFanout(ctx, c, push.FanoutRequest{
			Push: p.request.Push, To: p.targets, Selector: p.selector, Late: p.late(), Idempotency: p.request.Idempotency,
		})
	}
	st, err := s.deps.Pushes.Submit(ctx, p.request)
	if err != nil {
		return nil, pushMistake(err, "")
	}
	receipt := &pushReceipt{ID: st.ID.String(), State: st.State, To: st.To.ID}
	out := &acceptedPush{Location: "/v1/pushes/" + receipt.ID, Body: either[pushReceipt, fanoutReceipt]{a: receipt}}
	if st.Replayed {
		out.Replayed = "true"
		receipt.State = s.firstState(ctx, st)
	}
	if wait := preferredWait(c.Params.Prefer); wait > 0 {
		c.idle()
		s.await(ctx, wait, out, func(ctx context.Context) (known bool, err error) {
			last, err := s.deps.Pushes.Wait(ctx, s.deps.Domain, st.ID)
			if last.State != "" {
				receipt.State = last.State
			}
			return last.State != "", err
		})
	}
	return out, nil
}

// firstState is the state that the first answer showed. Only a push with TTL 0 could be over by then; the store repeats how it was accepted.
func (s *Server) firstState(ctx context.Context, st push.Status) push.State {
	if st.TTL != 0 {
		return push.Accepted
	}
	now, err := s.deps.Pushes.Status(ctx, s.deps.Domain, st.ID)
	if err == nil && now.State == push.Expired && now.History[len(now.History)-1].Reason == push.ReasonOffline {
		return push.Expired
	}
	return push.Accepted
}

type onePush struct {
	Body either[pushBody, fanoutBody]
}

func (s *Server) getPush(ctx context.Context, c call[pushPath, none]) (*onePush, error) {
	return s.onPush(ctx, c.Params.ID, s.deps.Pushes.Status, s.deps.Pushes.Fanout)
}

func (s *Server) cancelPush(ctx context.Context, c call[pushPath, none]) (*onePush, error) {
	return s.onPush(ctx, c.Params.ID, s.deps.Pushes.Cancel, s.deps.Pushes.CancelFanout)
}

// onPush does something with the push of this id, or with the fan-out.
func (s *Server) onPush(ctx context.Context, text string, do func(context.Context, string, push.ID) (push.Status, error),
	doAll func(context.Context, string, push.ID) (push.Fanout, error),
) (*onePush, error) {
	id, err := push.ParseID(text)
	if err != nil {
		return nil, unknownPush.problem("")
	}
	st, err := do(ctx, s.deps.Domain, id)
	if err == nil {
		body := showPush(st)
		return &onePush{either[pushBody, fanoutBody]{a: &body}}, nil
	}
	if !errors.Is(err, push.ErrUnknown) {
		return nil, err
	}
	f, err := doAll(ctx, s.deps.Domain, id)
	if err != nil {
		return nil, err
	}
	body := showFanout(f)
	return &onePush{either[pushBody, fanoutBody]{b: &body}}, nil
}

type pushList struct{ Body list[pushBody] }

func (s *Server) listPushes(ctx context.Context, c call[pushFilter, none]) (*pushList, error) {
	f := c.Params
	after, p := f.after()
	if p != nil {
		return nil, p
	}
	var before push.ID
	if after != "" {
		var err error
		if before, err = push.ParseID(after); err != nil {
			return nil, badCursor()
		}
	}
	bodies, shown, err := pageOf(f.Limit, showPush, func(last push.ID, rows int) ([]push.Status, error) {
		if last != 0 {
			before = last
		}
		return s.deps.Pushes.List(ctx, s.key(f.Endpoint), push.State(f.State), before, rows)
	})
	if err != nil {
		return nil, err
	}
	return &pushList{Body: page(bodies, shown, func(b pushBody) string { return b.ID })}, nil
}

// Bounds of a page of pushes: a result may have 64 KiB, and there are pages of 500.
const (
	pageBytes = 1 << 20 // at which a page ends
	pageRows  = 100     // that are in memory at once beyond those of the page
)

// pageOf returns what show makes of the pushes of one page, of which there are shown, and the one behind them if there is one. It reads them in parts, each
// behind the last push of the one before (0: none).
func pageOf[T any](limit int, show func(push.Status) T, read func(last push.ID, rows int) ([]push.Status, error)) (bodies []T, shown int, err error) {
	var last push.ID
	for size := 0; ; {
		rows := min(limit+1-len(bodies), pageRows)
		statuses, err := read(last, rows)
		if err != nil {
			return nil, 0, err
		}
		for _, st := range statuses {
			bodies = append(bodies, show(st))
			if n := len(bodies) - 1; n == limit || size >= pageBytes {
				return bodies, n, nil
			}
			size += len(st.Result)
			last = st.ID
		}
		if len(statuses) < rows {
			return bodies, len(bodies), nil
		}
	}
}
