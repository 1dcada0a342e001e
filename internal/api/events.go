package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"signalbox/internal/access"
	"signalbox/internal/events"
)

const (
	eventsPath  = "/v1/events"
	eventStream = "text/event-stream"
)

type eventQuery struct {
	LastEventID string   `header:"Last-Event-ID" maxLength:"19" doc:"Number of the last event that was seen: the stream goes on behind it. It counts more than after, so that a browser comes back to where it was."`
	After       string   `query:"after" maxLength:"19" doc:"The same for the first time; 0: everything that is kept. Without either only what happens from now on." example:"4711"`
	Types       []string `query:"type,explode" maxItems:"64" doc:"Only these types, or all of a subject as in push.*; several separated by commas, or the parameter several times." example:"[\"push.*\",\"endpoint.offline\"]"`
	Endpoints   []string `query:"endpoint,explode" maxItems:"100" doc:"Only events of these endpoints; several separated by commas, or the parameter several times." example:"[\"pc-1\"]"`
	Push        string   `query:"push" maxLength:"64" doc:"Only events of this push; of a push to several endpoints, those of its targets." example:"psh_0123456789abc"`
	Limit       int      `query:"limit" minimum:"1" maximum:"500" doc:"Makes the answer a JSON list of so many events at most, at once and without waiting. Absent: a stream."`
}

func (s *Server) registerEvents() {
	register(s, route{
		id: "follow-events", method: http.MethodGet, path: eventsPath, tag: "events", summary: "Follow what happens",
		doc: "Server-Sent Events: each has its number as id, its type as event, and one JSON object as data, as the list below shows. They come when they are on stable storage, in one order, " +
			"in which those of an endpoint happened. Who comes back with Last-Event-ID misses nothing and gets nothing twice. While nothing happens the stream says every events.heartbeat " +
			"that it is alive, with the number up to which there was nothing to tell. It ends when the server stops, when the token is revoked, and for readers that are too slow: then come back. " +
			"410 events_gone says that events behind the number are not kept any more (store.outbox_retention): take the presence snapshot, and go on behind its number. " +
			"With limit it answers with a list, for programs that ask from time to time: ask with next as after until the items are none and next stays the same. " +
			"Types: " + typesDoc() + ".",
		scope: access.ScopeRead, status: http.StatusOK, problems: []kind{eventsGone},
	}, s.followEvents)
	s.documentEvents()
}

func typesDoc() (text string) {
	for i, t := range events.Types() {
		if i > 0 {
			text += ", "
		}
		text += string(t)
	}
	return text
}

// eventAnswer is either of the two: huma leaves the whole body to the function.
type eventAnswer struct {
	ContentType string `header:"Content-Type"`
	Body        func(huma.Context)
}

func (s *Server) followEvents(ctx context.Context, c call[eventQuery, none]) (*eventAnswer, error) {
	after, filter, problem := s.readEventQuery(c)
	switch {
	case problem != nil:
		return nil, problem
	case c.Params.Limit > 0:
		return s.listEvents(ctx, after, filter, c.Params.Limit)
	}
	follower, err := s.deps.Events.Follow(ctx, after, filter)
	if err != nil {
		return nil, err
	}
	c.idle()
	return &eventAnswer{ContentType: eventStream, Body: func(hc huma.Context) { s.stream(hc, follower) }}, nil
}

func (s *Server) listEvents(ctx context.Context, after int64, f events.Filter, limit int) (*eventAnswer, error) {
	some, next, err := s.deps.Events.Page(ctx, after, f, limit)
	if err != nil {
		return nil, err
	}
	page := eventPage{Items: make([]eventBody, len(some)), Next: strconv.FormatInt(next, 10)}
	for i := range some {
		page.Items[i] = showEvent(&some[i])
	}
	text, err := encodeEvent(page)
	if err != nil {
		return nil, err
	}
	return &eventAnswer{ContentType: "application/json", Body: func(hc huma.Context) {
		_, _ = hc.BodyWriter().Write(text) // a failed write means that the caller has gone
	}}, nil
}

// documentEvents says what huma cannot know of an answer that is written piece by piece.
func (s *Server) documentEvents() {
	operation(s.api.OpenAPI(), http.MethodGet, eventsPath).Responses[strconv.Itoa(http.StatusOK)] = &huma.Response{
		Description: "A stream; with limit a list.",
		Content: map[string]*huma.MediaType{
			eventStream: {Schema: &huma.Schema{Type: huma.TypeString}, Extensions: map[string]any{"x-data": s.schema(eventBody{}, "Event")}, Example: "id: 4711\nevent: push.delivered\ndata: {\"id\":\"evt_00000000004k7\",\"seq\":4711,\"type\":\"push.delivered\",\"timestamp\":\"2026-01-02T03:04:05.6Z\"," +
				"\"endpoint\":\"pc-1\",\"push\":\"psh_0123456789abc\",\"data\":{\"id\":\"psh_0123456789abc\",\"to\":\"pc-1\",\"type\":\"demo.ping\",\"state\":\"delivered\"}}\n\n"},
			"application/json": {Schema: s.schema(eventPage{}, "EventPage")},
		},
	}
}
