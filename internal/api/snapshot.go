package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"signalbox/internal/access"
	"signalbox/internal/endpoint"
	"signalbox/internal/events"
)

const (
	maxSnapshots = 2         // in memory at the same time, about 250 bytes for each endpoint
	spoolBlock   = 256 << 10 // of a snapshot's text
	linesType    = "application/x-ndjson"
)

// Selection is what endpoints are selected by.
type Selection struct {
	State string `query:"state" enum:"online,offline,never" doc:"Only endpoints in this state."`
	Label string `query:"label" maxLength:"257" doc:"Only endpoints with this label, as name=value." example:"site=paris"`
	Group string `query:"group" maxLength:"128" doc:"Only endpoints of this group."`
	Q     string `query:"q" maxLength:"256" doc:"Only endpoints whose id contains this."`
}

// query makes what the directory is asked, or says what is wrong.
func (f Selection) query(domain string) (endpoint.Query, *Problem) {
	if f.Label != "" && !strings.Contains(f.Label, "=") {
		return endpoint.Query{}, validationFailed.problem("", FieldError{Parameter: "label", Detail: "write it as name=value"})
	}
	return endpoint.Query{Domain: domain, State: endpoint.State(f.State), Label: f.Label, Group: f.Group, Search: f.Q}, nil
}

func (s *Server) registerSnapshot() {
	register(s, route{
		id: "snapshot-presence", method: http.MethodGet, path: "/v1/presence/snapshot", tag: "endpoints", summary: "Show all endpoints as they were at one event",
		doc: "One JSON object on each line (NDJSON). The first has the number of the newest event of that moment and how many endpoints follow, each further one an endpoint by its id. " +
			"Whoever takes the snapshot and then the events behind its number (GET /v1/events with that id as Last-Event-ID) misses nothing and keeps no stale state. " +
			"So the state of an endpoint is the one that events told: one that went offline less than events.offline_grace ago is still online here, with actual: offline.",
		scope: access.ScopeRead, status: http.StatusOK,
	}, s.snapshot)
	responses := operation(s.api.OpenAPI(), http.MethodGet, "/v1/presence/snapshot").Responses
	responses[strconv.Itoa(http.StatusOK)] = &huma.Response{Description: "The snapshot, a line for each endpoint", Content: map[string]*huma.MediaType{linesType: {
		Schema:     &huma.Schema{Type: huma.TypeString},
		Extensions: map[string]any{"x-lines": map[string]any{"first": s.schema(snapshotHead{}, "SnapshotHead"), "others": s.schema(snapshotLine{}, "SnapshotLine")}},
	}}}
}

// schema returns a reference to the documentation of a type.
func (s *Server) schema(v any, name string) *huma.Schema {
	return s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(v), true, name)
}

type snapshotHead struct {
	_         struct{}  `additionalProperties:"true"`
	Seq       int64     `json:"seq" doc:"Number of the newest event that the snapshot knows of."`
	LastEvent string    `json:"last_event_id" doc:"The same as the id of that event."`
	At        time.Time `json:"at"`
	Endpoints int       `json:"endpoints" doc:"How many lines follow."`
}

type snapshotLine struct {
	_       struct{}       `additionalProperties:"true"`
	ID      string         `json:"id"`
	State   endpoint.State `json:"state" enum:"online,offline,never" doc:"That events told."`
	Actual  endpoint.State `json:"actual,omitempty" enum:"online,offline,never" doc:"The state, where events are still to tell of it or it does not last."`
	Enabled bool           `json:"enabled"`
	presenceRest
}

// snapshot reads everything before it writes, so that a slow reader holds nothing but memory.
func (s *Server) snapshot(ctx context.Context, c call[Selection, none]) (*huma.StreamResponse, error) {
	q, p := c.Params.query(s.deps.Domain)
	if p != nil {
		return nil, p
	}
	select {
	case s.snapshots <- struct{}{}:
	default:
		return nil, busy.problem(fmt.Sprintf("%d snapshots are under way.", maxSnapshots)).retryAfter(retryBusy)
	}
	spool, err := s.takeSnapshot(ctx, q)
	if err != nil {
		<-s.snapshots
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer func() { <-s.snapshots }()
		hc.SetHeader("Content-Type", linesType)
		for _, block := range spool {
			if _, err := hc.BodyWriter().Write(block); err != nil {
				return // the reader is gone: it sees that lines are missing
			}
		}
	}}, nil
}

// takeSnapshot returns the lines of a snapshot in blocks.
func (s *Server) takeSnapshot(ctx context.Context, q endpoint.Query) ([][]byte, error) {
	head := snapshotHead{At: utc(time.Now())}
	spool, block := [][]byte{nil}, []byte(nil)
	seq, err := s.deps.Endpoints.Snapshot(ctx, q, func(told endpoint.Told) error {
		head.Endpoints++
		line, err := json.Marshal(showTold(told))
		block = append(append(block, line...), '\n')
		if len(block) >= spoolBlock {
			spool, block = append(spool, block), make([]byte, 0, spoolBlock+1024)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	head.Seq, head.LastEvent = seq, events.Event{Seq: seq}.ID()
	first, err := json.Marshal(head)
	spool[0] = append(first, '\n')
	return append(spool, block), err
}

func showTold(t endpoint.Told) snapshotLine {
	b := showPresence(t.Record)
	line := snapshotLine{ID: t.ID, State: t.State, Enabled: t.Enabled, presenceRest: b.presenceRest}
	if b.State != t.State {
		line.Actual = b.State
	}
	return line
}
