package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"signalbox/internal/access"
	"signalbox/internal/campaign"
	"signalbox/internal/push"
)

type campaignPath struct {
	ID string `path:"id" maxLength:"64" doc:"Id of the campaign." example:"cmp_0123456789abc"`
}

type campaignFilter struct {
	Paging
	State string `query:"state" enum:"running,paused,finished,aborted" doc:"Only campaigns in this state."`
}

type campaignHeaders struct {
	IdempotencyKey string `header:"Idempotency-Key" minLength:"1" maxLength:"255" doc:"Printable ASCII; makes it safe to send the request again."`
}

func (s *Server) registerCampaigns() {
	register(s, route{
		id: "create-campaign", method: http.MethodPost, path: "/v1/campaigns", tag: "campaigns", summary: "Roll a push out to many endpoints with care",
		doc: "The endpoints are those that match now. They get the push at the rate, a share of them first, within the window, and no more of them when too many of those that " +
			"are over have failed, expired or were rejected. A campaign goes on where it was after a restart, and every endpoint gets its push once. The time to live of each push " +
			"counts from the moment in which it is sent.",
		large: true, scope: access.ScopePush, status: http.StatusCreated,
		problems: []kind{idempotencyKeyReused, idempotencyInProgress, payloadTooLarge, insufficientStorage, noTargets, tooManyCampaigns},
		example: map[string]any{
			"name": "agent 7.2", "push": map[string]any{"to": map[string]string{"group": "lab"}, "type": "agent.update", "payload": map[string]string{"version": "7.2"}, "ack": "handled", "ttl": 86400},
			"rate_per_minute": 600, "canary": map[string]int{"percent": 5, "wait": 3600}, "abort": map[string]int{"failed_percent": 10, "after": 20},
			"window": map[string]any{"from": "22:00", "until": "05:00", "zone": "Europe/Paris", "days": []string{"mon", "tue", "wed", "thu"}},
		},
	}, s.createCampaign)
	register(s, route{
		id: "list-campaigns", method: http.MethodGet, path: "/v1/campaigns", tag: "campaigns", summary: "List campaigns, the newest first",
		doc: "Without counts, unless a campaign is over.", scope: access.ScopeRead, status: http.StatusOK,
	}, s.listCampaigns)
	register(s, route{
		id: "get-campaign", method: http.MethodGet, path: "/v1/campaigns/{id}", tag: "campaigns", summary: "Show a campaign with its progress",
		scope: access.ScopeRead, status: http.StatusOK, problems: []kind{unknownCampaign},
	}, s.onCampaign((*campaign.Service).Campaign))
	for _, change := range []struct {
		name, summary, doc string
		do                 func(*campaign.Service, context.Context, string, campaign.ID) (campaign.Campaign, error)
	}{
		{"pause", "Pause a running campaign", "What was sent goes on.", (*campaign.Service).Pause},
		{"resume", "Resume a paused campaign", "", (*campaign.Service).Resume},
		{"abort", "End a campaign", "Nothing more is sent, and what waits for its endpoint, or comes back without a receipt, is cancelled by and by.", (*campaign.Service).Abort},
	} {
		register(s, route{
			id: change.name + "-campaign", method: http.MethodPost, path: "/v1/campaigns/{id}/" + change.name, tag: "campaigns", summary: change.summary, doc: change.doc,
			scope: access.ScopePush, status: http.StatusOK, problems: []kind{unknownCampaign, campaignState, insufficientStorage},
		}, s.onCampaign(change.do))
	}
}

type createdCampaign struct {
	Location string `header:"Location"`
	Replayed string `header:"Idempotency-Replayed"`
	Body     campaignBody
}

func (s *Server) createCampaign(ctx context.Context, c call[campaignHeaders, campaignCreate]) (*createdCampaign, error) {
	p := &pushReader{body: &c.Body.Push, header: c.header, place: "/push"}
	p.target(s)
	if problem := p.content(s, &pushHeaders{}); problem != nil {
		return nil, problem
	}
	if !p.many {
		p.targets = []string{p.request.Push.To.ID}
		p.request.Push.To = s.key("")
	}
	if p.late() {
		p.wrong("/late_joiners", "is not for campaigns, which are for the endpoints that match when they are made")
	}
	key := p.idempotency(c.caller.TokenID, c.Params.IdempotencyKey, c.raw)
	spec, errs := c.Body.spec(p)
	if errs = append(p.errs, errs...); errs != nil {
		return nil, validationFailed.problem("", errs...)
	}
	made, replayed, err := s.deps.Campaigns.Create(ctx, spec, key)
	var fields push.FieldErrors
	switch {
	case errors.As(err, &fields): // with places of their own
		return nil, pushMistake(err, "")
	case err != nil:
		return nil, pushMistake(err, "/push")
	}
	out := &createdCampaign{Location: "/v1/campaigns/" + made.ID.String(), Body: showCampaign(made)}
	if replayed {
		out.Replayed = "true"
	}
	return out, nil
}

type oneCampaign struct{ Body campaignBody }

// onCampaign answers with a campaign after something was done with it.
func (s *Server) onCampaign(do func(*campaign.Service, context.Context, string, campaign.ID) (campaign.Campaign, error)) func(context.Context, call[campaignPath, none]) (*oneCampaign, error) {
	return func(ctx context.Context, c call[campaignPath, none]) (*oneCampaign, error) {
		id, err := campaign.ParseID(c.Params.ID)
		if err != nil {
			return nil, unknownCampaign.problem("")
		}
		found, err := do(s.deps.Campaigns, ctx, s.deps.Domain, id)
		if err != nil {
			return nil, err
		}
		return &oneCampaign{showCampaign(found)}, nil
	}
}

type campaignList struct{ Body list[campaignBody] }

func (s *Server) listCampaigns(ctx context.Context, c call[campaignFilter, none]) (*campaignList, error) {
	after, p := c.Params.after()
	if p != nil {
		return nil, p
	}
	var before campaign.ID
	if after != "" {
		var err error
		if before, err = campaign.ParseID(after); err != nil {
			return nil, badCursor()
		}
	}
	all, err := s.deps.Campaigns.List(ctx, s.deps.Domain, campaign.State(c.Params.State), before, c.Params.Limit+1)
	if err != nil {
		return nil, err
	}
	bodies := make([]campaignBody, len(all))
	for i, one := range all {
		bodies[i] = showCampaign(one)
	}
	return &campaignList{Body: page(bodies, c.Params.Limit, func(b campaignBody) string { return b.ID })}, nil
}

type campaignCreate struct {
	Name   string          `json:"name" minLength:"1" maxLength:"128" doc:"What people call it." example:"agent 7.2"`
	Push   pushCreate      `json:"push" doc:"As for POST /v1/pushes, without not_before and late_joiners."`
	Rate   *int            `json:"rate_per_minute,omitempty" minimum:"0" maximum:"100000" doc:"Endpoints that get it in a minute; 0 or absent: as fast as the server takes them."`
	Canary *campaignCanary `json:"canary,omitempty" doc:"A share of the endpoints that gets it first."`
	Abort  *campaignAbort  `json:"abort,omitempty" doc:"When it ends by itself."`
	Window *campaignWindow `json:"window,omitempty" doc:"When it sends; absent: at any time."`
	Start  *string         `json:"start,omitempty" format:"date-time" doc:"When it begins; absent: at once."`
}

type campaignCanary struct {
	Percent int  `json:"percent" minimum:"1" maximum:"100" doc:"Share of the endpoints, at least one."`
	Wait    *int `json:"wait,omitempty" minimum:"0" maximum:"2419200" doc:"Seconds that the results of all of them are waited for at most before it goes on; absent: an hour."`
}

type campaignAbort struct {
	FailedPercent int  `json:"failed_percent" minimum:"1" maximum:"100" doc:"It ends when more than so many of the pushes that are over have failed, expired or were rejected."`
	After         *int `json:"after,omitempty" minimum:"1" maximum:"1000000" doc:"Pushes that must be over before that counts; absent: 10."`
}

type campaignWindow struct {
	From  string   `json:"from" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$" doc:"Time of day, HH:MM." example:"22:00"`
	Until string   `json:"until" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$" doc:"Time of day, of the next day if it is not after from." example:"05:00"`
	Zone  *string  `json:"zone,omitempty" doc:"Time zone by its IANA name; absent: UTC." example:"Europe/Paris"`
	Days  []string `json:"days,omitempty" enum:"sun,mon,tue,wed,thu,fri,sat" doc:"Days on which it begins; absent: every day."`
}

// What counts where a request does not say it.
const (
	standardCanaryWait = time.Hour
	standardAbortAfter = 10
)

// spec makes a campaign of a request; what only the domain knows it leaves to the domain.
func (b *campaignCreate) spec(p *pushReader) (s campaign.Spec, errs []FieldError) {
	s = campaign.Spec{Name: b.Name, Push: p.request.Push, To: p.targets, Selector: p.selector, Rate: value(b.Rate)}
	if b.Canary != nil {
		s.CanaryPercent, s.CanaryWait = b.Canary.Percent, standardCanaryWait
		if b.Canary.Wait != nil {
			s.CanaryWait = time.Duration(*b.Canary.Wait) * time.Second
		}
	}
	if b.Abort != nil {
		s.AbortPercent, s.AbortAfter = b.Abort.FailedPercent, standardAbortAfter
		if b.Abort.After != nil {
			s.AbortAfter = *b.Abort.After
		}
	}
	if b.Window != nil {
		s.Window = campaign.Window{From: b.Window.From, Until: b.Window.Until, Zone: value(b.Window.Zone), Days: b.Window.Days}
	}
	if b.Start != nil {
		start, err := time.Parse(time.RFC3339Nano, *b.Start)
		if err != nil {
			errs = append(errs, FieldError{Pointer: "/start", Detail: "it must be a time as RFC 3339 has it, such as 2026-01-01T00:00:00Z"})
		}
		s.Start = start.UTC()
	}
	return s, errs
}

type campaignBody struct {
	_         struct{}         `additionalProperties:"true"`
	ID        string           `json:"id" example:"cmp_0123456789abc"`
	Name      string           `json:"name"`
	State     campaign.State   `json:"state" enum:"running,paused,finished,aborted"`
	Reason    string           `json:"reason" doc:"Of the state: requested, too_many_failures or done."`
	Waits     string           `json:"waits_for,omitempty" enum:"start,canary,window,rate,results" doc:"What a running campaign waits for."`
	Until     *time.Time       `json:"waits_until,omitempty" doc:"When that is over, where it is known."`
	Type      string           `json:"type"`
	Targets   int              `json:"targets"`
	Sent      int              `json:"sent" doc:"Targets whose push was accepted or rejected."`
	Counts    map[string]int   `json:"counts,omitempty" doc:"How many targets are in which state, of those that were sent."`
	Rate      int              `json:"rate_per_minute,omitempty"`
	Canary    *campaignCanary  `json:"canary,omitempty"`
	Passed    bool             `json:"canary_passed"`
	Abort     *campaignAbort   `json:"abort,omitempty"`
	Window    *campaignWindow  `json:"window,omitempty"`
	Start     *time.Time       `json:"start,omitempty"`
	History   []campaignChange `json:"history" nullable:"false" doc:"Every state that it was in, the oldest first."`
	CreatedAt time.Time        `json:"created_at"`
	UpdatedAt time.Time        `json:"updated_at"`
}

type campaignChange struct {
	_      struct{}       `additionalProperties:"true"`
	State  campaign.State `json:"state" enum:"running,paused,finished,aborted"`
	At     time.Time      `json:"at"`
	Reason string         `json:"reason,omitempty"`
}

func showCampaign(c campaign.Campaign) campaignBody {
	b := campaignBody{
		ID: c.ID.String(), Name: c.Name, State: c.State, Reason: c.Reason, Type: c.Push.Type, Targets: c.Targets, Sent: c.Sent, Rate: c.Rate, Passed: c.CanaryPassed,
		Start: showTime(c.Start), History: make([]campaignChange, len(c.History)), CreatedAt: utc(c.Created), UpdatedAt: utc(c.Updated),
	}
	if c.Counts != nil {
		b.Counts = showCounts(c.Counts)
		var until time.Time
		b.Waits, until = c.Waits(time.Now(), c.Counts)
		b.Until = showTime(until)
	}
	for i, h := range c.History {
		b.History[i] = campaignChange{State: h.State, At: utc(h.At), Reason: h.Reason}
	}
	if c.CanaryPercent > 0 {
		wait := int(c.CanaryWait / time.Second)
		b.Canary = &campaignCanary{Percent: c.CanaryPercent, Wait: &wait}
	}
	if c.AbortPercent > 0 {
		after := c.AbortAfter
		b.Abort = &campaignAbort{FailedPercent: c.AbortPercent, After: &after}
	}
	if !c.Window.Empty() {
		b.Window = &campaignWindow{From: c.Window.From, Until: c.Window.Until, Days: c.Window.Days}
		if c.Window.Zone != "" {
			b.Window.Zone = &c.Window.Zone
		}
	}
	return b
}
