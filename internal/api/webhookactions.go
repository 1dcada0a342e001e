package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"signalbox/internal/access"
	"signalbox/internal/events/webhook"
)

func (s *Server) registerWebhookActions() {
	register(s, route{
		id: "test-webhook", method: http.MethodPost, path: "/v1/webhooks/{id}/test", tag: "webhooks", summary: "Send a test now, and tell what came of it",
		doc:   "Sends one message of type webhook.test, also to a webhook that is disabled, whatever types it asks for. If it is taken, what waits for the receiver is sent at once.",
		scope: access.ScopeAdmin, status: http.StatusOK, problems: []kind{unknownWebhook},
	}, s.testWebhook)
	register(s, route{
		id: "list-webhook-deliveries", method: http.MethodGet, path: "/v1/webhooks/{id}/deliveries", tag: "webhooks", summary: "List the attempts for a webhook, the newest first",
		doc:   "The newest 1,000 that were taken and the newest 1,000 that were not are kept.",
		scope: access.ScopeAdmin, status: http.StatusOK, problems: []kind{unknownWebhook},
	}, s.listWebhookDeliveries)
	register(s, route{
		id: "replay-webhook", method: http.MethodPost, path: "/v1/webhooks/{id}/replay", tag: "webhooks", summary: "Send events again",
		doc: "Everything behind the event with the number seq, or since the time from, in its order and with the same ids; or, with failed, only what was given up because the receiver refused it " +
			"for days while it took other events.",
		scope: access.ScopeAdmin, status: http.StatusOK, problems: []kind{unknownWebhook, webhookDisabled, insufficientStorage},
		example: map[string]any{"from": "2026-01-02T15:04:05Z"},
	}, s.replayWebhook)
}

type oneWebhookDelivery struct{ Body webhookDelivery }

func (s *Server) testWebhook(ctx context.Context, c call[webhookPath, none]) (*oneWebhookDelivery, error) {
	d, err := s.deps.Webhooks.Test(ctx, c.Params.ID)
	if err != nil {
		return nil, err
	}
	return &oneWebhookDelivery{Body: showWebhookDelivery(d)}, nil
}

type webhookDeliveryFilter struct {
	ID string `path:"id" maxLength:"64" doc:"Id of the webhook." example:"management"`
	Paging
	Failed bool `query:"failed" doc:"Only attempts that failed."`
}

type webhookDeliveryList struct{ Body list[webhookDelivery] }

func (s *Server) listWebhookDeliveries(ctx context.Context, c call[webhookDeliveryFilter, none]) (*webhookDeliveryList, error) {
	after, p := c.Params.after()
	if p != nil {
		return nil, p
	}
	q := webhook.DeliveryQuery{Limit: c.Params.Limit + 1, Failed: c.Params.Failed}
	if after != "" {
		n, err := strconv.ParseInt(after, 10, 64)
		if err != nil || n < 1 {
			return nil, badCursor()
		}
		q.Before = n
	}
	all, err := s.deps.Webhooks.Deliveries(ctx, c.Params.ID, q)
	if err != nil {
		return nil, err
	}
	bodies := make([]webhookDelivery, len(all))
	for i, d := range all {
		bodies[i] = showWebhookDelivery(d)
	}
	return &webhookDeliveryList{Body: page(bodies, c.Params.Limit, func(d webhookDelivery) string { return strconv.FormatInt(d.number, 10) })}, nil
}

type replayAnswer struct {
	_       struct{} `additionalProperties:"true"`
	After   int64    `json:"after" doc:"Events behind this number are sent again, or are sent anyway."`
	Revived int      `json:"revived" doc:"How many events that were given up are tried again."`
}

type replayed struct{ Body replayAnswer }

func (s *Server) replayWebhook(ctx context.Context, c call[webhookPath, webhookReplay]) (*replayed, error) {
	r, p := c.Body.parse()
	if p != nil {
		return nil, p
	}
	after, revived, err := s.deps.Webhooks.Replay(ctx, c.Params.ID, r)
	if err != nil {
		return nil, webhookMistake(err)
	}
	return &replayed{Body: replayAnswer{After: after, Revived: revived}}, nil
}

// parse reads which of the three ways is asked for.
func (r webhookReplay) parse() (webhook.Replay, *Problem) {
	given := 0
	for _, is := range []bool{r.Seq != nil, r.From != nil, r.Failed} {
		if is {
			given++
		}
	}
	if given != 1 {
		return webhook.Replay{}, validationFailed.at("", "one of seq, from and failed says what is sent again")
	}
	out := webhook.Replay{Failed: r.Failed}
	if r.Seq != nil {
		if out.Seq = *r.Seq; out.Seq < 0 {
			return out, validationFailed.at("/seq", "it is the number of an event, or 0")
		}
	}
	if r.From != nil {
		var err error
		if out.From, err = time.Parse(time.RFC3339Nano, *r.From); err != nil {
			return out, validationFailed.at("/from", "it is no time such as 2026-01-02T15:04:05Z (RFC 3339)")
		}
	}
	return out, nil
}
