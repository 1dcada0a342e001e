package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"signalbox/internal/access"
	"signalbox/internal/endpoint"
)

// maxQueried is how many endpoints one query may name.
const maxQueried = 10_000

func (s *Server) registerPresence() {
	register(s, route{
		id: "probe-endpoint", method: http.MethodPost, path: "/v1/endpoints/{id}/probe", tag: "endpoints", summary: "Ask an endpoint for a sign of life, now",
		doc: "Answers within two seconds. The server asks on the endpoint's session and waits until bytes come from it: then its state is online, with the time that it took. " +
			"One that says nothing is unresponsive: it counts as online until its liveness time is over, unless it says something before. " +
			"offline: it has no session, or one whose connection was lost and that may be resumed. Requests for one endpoint at the same time share one question.",
		scope: access.ScopeRead, status: http.StatusOK, problems: []kind{unknownEndpoint},
	}, s.probe)
	register(s, route{
		id: "query-presence", method: http.MethodPost, path: "/v1/presence/query", tag: "endpoints", summary: "Show which of many endpoints are online",
		doc:   "The answer has the endpoints in the order of the request, each once, and names those that are not registered.",
		large: true, scope: access.ScopeRead, status: http.StatusOK,
		example: map[string]any{"ids": []string{"pc-1", "pc-2"}},
	}, s.queryPresence)
	s.registerSnapshot()
}

type probeBody struct {
	_        struct{}            `additionalProperties:"true"`
	State    endpoint.ProbeState `json:"state" enum:"online,unresponsive,offline" doc:"What the probe found."`
	AskedAt  time.Time           `json:"asked_at"`
	RTT      float64             `json:"rtt_ms,omitempty" doc:"Milliseconds until the first bytes came; only if it is online."`
	Presence presenceBody        `json:"presence" doc:"What is known of it after the probe."`
}

type probed struct{ Body probeBody }

func (s *Server) probe(ctx context.Context, c call[endpointPath, none]) (*probed, error) {
	k := s.key(c.Params.ID)
	if _, err := s.deps.Endpoints.Endpoint(ctx, k); err != nil {
		return nil, err
	}
	c.idle()
	p, err := s.deps.Registry.Probe(ctx, k)
	if err != nil {
		return nil, err
	}
	r, err := s.deps.Endpoints.Endpoint(ctx, k)
	if err != nil {
		return nil, err
	}
	b := probeBody{State: p.State, AskedAt: utc(p.At), Presence: showPresence(r)}
	if p.State == endpoint.ProbeOnline {
		b.RTT = max(0.001, float64(p.RTT.Microseconds())/1000)
	}
	return &probed{Body: b}, nil
}

type presenceQuery struct {
	IDs []string `json:"ids" nullable:"false" minItems:"1" maxItems:"10000" doc:"Ids of endpoints."`
}

type queriedPresence struct {
	ID string `json:"id"`
	presenceBody
}

type queriedBody struct {
	_       struct{}          `additionalProperties:"true"`
	Items   []queriedPresence `json:"items" nullable:"false"`
	Unknown []string          `json:"unknown" nullable:"false" doc:"Ids that no endpoint has."`
}

type queried struct{ Body queriedBody }

func (s *Server) queryPresence(ctx context.Context, c call[noParams, presenceQuery]) (*queried, error) {
	ids := c.Body.IDs
	if len(ids) == 0 || len(ids) > maxQueried {
		return nil, validationFailed.at("/ids", fmt.Sprintf("it has %d ids, 1 to %d are allowed", len(ids), maxQueried))
	}
	records, err := s.deps.Endpoints.ByID(ctx, s.deps.Domain, ids)
	if err != nil {
		return nil, err
	}
	found := make(map[string]endpoint.Record, len(records))
	for _, r := range records {
		found[r.ID] = r
	}
	out := &queried{Body: queriedBody{Items: make([]queriedPresence, 0, len(found)), Unknown: []string{}}}
	asked := make(map[string]bool, len(ids))
	for _, id := range ids {
		if asked[id] {
			continue
		}
		asked[id] = true
		if r, ok := found[id]; ok {
			out.Body.Items = append(out.Body.Items, queriedPresence{id, showPresence(r)})
		} else {
			out.Body.Unknown = append(out.Body.Unknown, id)
		}
	}
	return out, nil
}
