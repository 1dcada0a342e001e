package api

import (
	"context"
	"errors"

	"signalbox/internal/push"
)

// createFanout accepts a push for a list of endpoints.
func (s *Server) createFanout(ctx context.Context, c call[pushHeaders, pushCreate], r push.FanoutRequest) (*acceptedPush, error) {
	f, err := s.deps.Pushes.SubmitFanout(ctx, r)
	if err != nil {
		return nil, pushMistake(err, "")
	}
	receipt := &fanoutReceipt{ID: f.ID.String(), Targets: f.Targets, Counts: showCounts(f.Counts)}
	out := &acceptedPush{Location: "/v1/pushes/" + receipt.ID, Body: either[pushReceipt, fanoutReceipt]{b: receipt}}
	if f.Replayed {
		out.Replayed = "true"
	}
	if wait := preferredWait(c.Params.Prefer); wait > 0 {
		c.idle()
		s.await(ctx, wait, out, func(ctx context.Context) (known bool, err error) {
			last, err := s.deps.Pushes.WaitFanout(ctx, s.deps.Domain, f.ID)
			if last.Counts != nil {
				receipt.Counts = showCounts(last.Counts)
			}
			return last.Counts != nil, err
		})
	}
	return out, nil
}

type deliveryFilter struct {
	Paging
	ID    string `path:"id" maxLength:"64" doc:"Id of the push." example:"psh_0123456789abc"`
	State string `query:"state" enum:"accepted,sent,delivered,handled,failed,expired,replaced,cancelled,rejected" doc:"Only deliveries in this state."`
}

type deliveryList struct{ Body list[deliveryBody] }

func (s *Server) listDeliveries(ctx context.Context, c call[deliveryFilter, none]) (*deliveryList, error) {
	f := c.Params
	id, err := push.ParseID(f.ID)
	if err != nil {
		return nil, unknownPush.problem("")
	}
	cursor, p := f.after()
	if p != nil {
		return nil, p
	}
	var after push.ID
	if cursor != "" {
		if after, err = push.ParseID(cursor); err != nil {
			return nil, badCursor()
		}
	}
	st, err := s.deps.Pushes.Status(ctx, s.deps.Domain, id)
	switch {
	case err == nil:
		return &deliveryList{Body: list[deliveryBody]{Items: oneDelivery(st, push.State(f.State), after)}}, nil
	case !errors.Is(err, push.ErrUnknown):
		return nil, err
	}
	if _, err := s.deps.Pushes.FanoutProgress(ctx, s.deps.Domain, id); err != nil {
		return nil, err
	}
	bodies, shown, err := pageOf(f.Limit, showDelivery, func(last push.ID, rows int) ([]push.Status, error) {
		return s.deps.Pushes.Deliveries(ctx, s.deps.Domain, id, push.State(f.State), max(after, last), rows)
	})
	if err != nil {
		return nil, err
	}
	return &deliveryList{Body: page(bodies, shown, func(b deliveryBody) string { return b.ID })}, nil
}

// oneDelivery is the list of a push to one endpoint.
func oneDelivery(st push.Status, state push.State, after push.ID) []deliveryBody {
	if after >= st.ID || state != "" && state != st.State {
		return []deliveryBody{}
	}
	return []deliveryBody{showDelivery(st)}
}
