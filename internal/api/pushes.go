package api

import (
	"context"
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
		id: "create-push", method: http.MethodPost, path: "/v1/pushes", tag: "pushes", summary: "Push to an endpoint",
		doc: "The answer comes when the push is on stable storage. With an Idempotency-Key the request can be repeated safely: the first answer comes again " +
			"with 'Idempotency-Replayed: true'. TTL, Urgency and Topic are those of RFC 8030. With 'Prefer: wait=N' (RFC 7240) the answer comes when the push is done, or after N seconds, 60 at most.",
		scope: access.ScopePush, status: http.StatusAccepted,
		problems: []kind{unknownEndpoint, endpointDisabled, queueFull, idempotencyKeyReused, idempotencyInProgress, notSupported, payloadTooLarge, insufficientStorage},
		example:  map[string]any{"to": "pc-1", "type": "demo.ping", "payload": map[string]int{"n": 1}, "ttl": 60, "ack": "handled"},
	}, s.createPush)
	register(s, route{
		id: "list-pushes", method: http.MethodGet, path: "/v1/pushes", tag: "pushes", summary: "List pushes, the newest first",
		scope: access.ScopeRead, status: http.StatusOK,
	}, s.listPushes)
	register(s, route{
		id: "get-push", method: http.MethodGet, path: "/v1/pushes/{id}", tag: "pushes", summary: "Show a push with its history",
		scope: access.ScopeRead, status: http.StatusOK, problems: []kind{unknownPush},
	}, s.getPush)
	register(s, route{
		id: "cancel-push", method: http.MethodDelete, path: "/v1/pushes/{id}", tag: "pushes", summary: "Cancel a push",
		doc:   "Only a push that was not sent can be cancelled. The answer shows it as it is then.",
		scope: access.ScopePush, status: http.StatusOK, problems: []kind{unknownPush, pushNotCancellable, insufficientStorage},
	}, s.cancelPush)
}

type acceptedPush struct {
	Location string `header:"Location"`
	Replayed string `header:"Idempotency-Replayed"`
	Applied  string `header:"Preference-Applied"`
	Body     pushReceipt
}

func (s *Server) createPush(ctx context.Context, c call[pushHeaders, pushCreate]) (*acceptedPush, error) {
	p, problem := s.readPush(c)
	if problem != nil {
		return nil, problem
	}
	st, err := s.deps.Pushes.Submit(ctx, p)
	if err != nil {
		return nil, pushMistake(err)
	}
	out := &acceptedPush{Location: "/v1/pushes/" + st.ID.String(), Body: pushReceipt{ID: st.ID.String(), State: st.State, To: st.To.ID}}
	if st.Replayed {
		out.Replayed = "true"
		out.Body.State = s.firstState(ctx, st)
	}
	if wait := preferredWait(c.Params.Prefer); wait > 0 {
		out.Applied = "wait"
		if out.Body.State, err = s.await(ctx, st.ID, wait); err != nil {
			return nil, err
		}
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

type onePush struct{ Body pushBody }

func (s *Server) getPush(ctx context.Context, c call[pushPath, none]) (*onePush, error) {
	return s.onPush(ctx, c.Params.ID, s.deps.Pushes.Status)
}

func (s *Server) cancelPush(ctx context.Context, c call[pushPath, none]) (*onePush, error) {
	return s.onPush(ctx, c.Params.ID, s.deps.Pushes.Cancel)
}

func (s *Server) onPush(ctx context.Context, text string, do func(context.Context, string, push.ID) (push.Status, error)) (*onePush, error) {
	id, err := push.ParseID(text)
	if err != nil {
		return nil, unknownPush.problem("")
	}
	st, err := do(ctx, s.deps.Domain, id)
	if err != nil {
		return nil, err
	}
	return &onePush{Body: showPush(st)}, nil
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
	statuses, err := s.deps.Pushes.List(ctx, s.key(f.Endpoint), push.State(f.State), before, f.Limit+1)
	if err != nil {
		return nil, err
	}
	bodies := make([]pushBody, len(statuses))
	for i, st := range statuses {
		bodies[i] = showPush(st)
	}
	return &pushList{Body: page(bodies, f.Limit, func(b pushBody) string { return b.ID })}, nil
}
