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
			"with 'Idempotency-Replayed: true'. TTL, Urgency and Topic are those of RFC 8030. With 'Prefer: wait=N' (RFC 7240) the answer comes when the push is done, or after N seconds, 60 at most; " +
			"without 'Preference-Applied: wait' the server could not wait so long, and the state is the last that it knew.",
		scope: access.ScopePush, status: http.StatusAccepted,
		problems: []kind{unknownEndpoint, endpointDisabled, queueFull, idempotencyKeyReused, idempotencyInProgress, notSupported, payloadTooLarge, insufficientStorage},
		example:  map[string]any{"to": "pc-1", "type": "demo.ping", "payload": map[string]int{"n": 1}, "ttl": 60, "ack": "handled"},
	}, s.createPush)
	register(s, route{
		id: "list-pushes", method: http.MethodGet, path: "/v1/pushes", tag: "pushes", summary: "List pushes, the newest first",
		doc:   "A page ends early, with a next, when its pushes come to about 1 MiB.",
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
		c.idle()
		s.await(ctx, st.ID, wait, out)
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
	bodies, shown, err := s.pageOfPushes(ctx, f, before)
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

// pageOfPushes returns the pushes of one page, of which there are shown, and the one behind them if there is one.
func (s *Server) pageOfPushes(ctx context.Context, f *pushFilter, before push.ID) (bodies []pushBody, shown int, err error) {
	for size := 0; ; {
		rows := min(f.Limit+1-len(bodies), pageRows)
		statuses, err := s.deps.Pushes.List(ctx, s.key(f.Endpoint), push.State(f.State), before, rows)
		if err != nil {
			return nil, 0, err
		}
		for _, st := range statuses {
			bodies = append(bodies, showPush(st))
			if n := len(bodies) - 1; n == f.Limit || size >= pageBytes {
				return bodies, n, nil
			}
			size += len(st.Result)
			before = st.ID
		}
		if len(statuses) < rows {
			return bodies, len(bodies), nil
		}
	}
}
