package diagnosis

import (
	"context"
	"encoding/json"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"signalbox/internal/endpoint"
)

// world is everything that a Service asks, as the test says it is.
type world struct {
	t          *testing.T
	service    *Service
	memory     *Memory
	record     endpoint.Record
	flow       *Flow // nil: no session
	events     []StoredEvent
	pushes     []Push
	fanout     *Fanout
	sent       int
	oldest     time.Time
	ahead      int
	closed     string
	draining   time.Time
	unwritable string
	management *Management // nil: none is configured
}

const home = "192.0.2.1"

// newWorld has an endpoint pc-1 in a state since an hour, for a reason.
func newWorld(t *testing.T, state endpoint.State, reason string) *world {
	w := &world{t: t, memory: NewMemory()}
	w.record = endpoint.Record{Endpoint: endpoint.Endpoint{Key: key("pc-1"), Enabled: true, Created: time.Now().Add(-48 * time.Hour)}, Presence: endpoint.Presence{State: state}}
	if state != endpoint.StateNever {
		w.record.Presence = endpoint.Presence{
			State: state, Since: time.Now().Add(-time.Hour), LastHeard: time.Now().Add(-time.Hour), Reason: reason, RemoteAddr: home + ":4711",
		}
		w.memory.Seen(key("pc-1"), netip.MustParseAddr(home))
	}
	if state == endpoint.StateOnline {
		w.flow = &Flow{Available: true, Window: 32}
	}
	w.service = New(Deps{Domain: "example.test", Memory: w.memory, Endpoints: w, Flows: w, Pushes: w, Events: w, Server: w, Management: w})
	return w
}

func (w *world) Endpoint(_ context.Context, k endpoint.Key) (endpoint.Record, error) {
	if k != w.record.Key {
		return endpoint.Record{}, endpoint.ErrUnknown
	}
	return w.record, nil
}

func (w *world) Flow(endpoint.Key) (Flow, bool) {
	if w.flow == nil {
		return Flow{}, false
	}
	return *w.flow, true
}

func (w *world) EndpointEvents(_ context.Context, _ endpoint.Key, until time.Time, limit int) (found []StoredEvent, err error) {
	for _, e := range w.events {
		if !e.At.After(until) && len(found) < limit {
			found = append(found, e)
		}
	}
	return found, nil
}

func (w *world) Push(_ context.Context, id string) (*Push, *Fanout, error) {
	for i := range w.pushes {
		if w.pushes[i].ID == id {
			return &w.pushes[i], nil, nil
		}
	}
	if w.fanout != nil && w.fanout.ID == id {
		return nil, w.fanout, nil
	}
	return nil, nil, ErrUnknownPush
}

func (w *world) Targets(_ context.Context, _, state string, limit int) (found []Push, err error) {
	for _, p := range w.pushes {
		if p.State == state && len(found) < limit {
			found = append(found, p)
		}
	}
	return found, nil
}

func (w *world) Created(_ context.Context, _ endpoint.Key, until time.Time, limit int) (found []Push, err error) {
	for _, p := range w.pushes {
		if !p.Created.After(until) && len(found) < limit {
			found = append(found, p)
		}
	}
	return found, nil
}

func (w *world) Sent(context.Context, endpoint.Key) (int, time.Time, error) {
	return w.sent, w.oldest, nil
}
func (w *world) Ahead(context.Context, *Push) (int, error) { return w.ahead, nil }
func (w *world) Closed() string                            { return w.closed }
func (w *world) Draining() time.Time                       { return w.draining }
func (w *world) Unwritable(context.Context) string         { return w.unwritable }
func (w *world) Certificate(string) Certificate {
	return Certificate{Names: []string{"xmpp.example.test"}, From: time.Now().Add(-time.Hour), Until: time.Now().Add(time.Hour)}
}

func (w *world) Management(context.Context, endpoint.Key) (Management, bool) {
	if w.management == nil {
		return Management{}, false
	}
	return *w.management, true
}

// diagnose returns the diagnosis of pc-1, whose sentences and ladder are held against their form.
func (w *world) diagnose() Diagnosis {
	w.t.Helper()
	d, err := w.service.Endpoint(w.t.Context(), "pc-1")
	if err != nil {
		w.t.Fatal(err)
	}
	if len(d.Steps) != len(Steps()) {
		w.t.Errorf("ladder = %+v", d.Steps)
	}
	wellFormed(w.t, d.Finding)
	for _, f := range d.Also {
		wellFormed(w.t, f)
	}
	return d
}

// explain returns the explanation of a push.
func (w *world) explain(id string) Explanation {
	w.t.Helper()
	e, err := w.service.Explain(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	wellFormed(w.t, e.Finding)
	return e
}

var unfilled = regexp.MustCompile(`\{[a-z]*\}|\(\)| ,|  |unknown time|\. `)

// wellFormed fails unless both sentences are one, with every fact in them.
func wellFormed(t *testing.T, f Finding) {
	t.Helper()
	for _, text := range []string{f.Summary, f.Action} {
		if !strings.HasSuffix(text, ".") || unfilled.MatchString(text) {
			t.Errorf("%s: %q is not one whole sentence", f.Code, text)
		}
	}
	t.Logf("%s\n\t%s\n\t%s", f.Code, f.Summary, f.Action)
}

// pushOf makes a push of pc-1 from its history, a minute between two changes: "accepted", "failed:no_result".
func pushOf(id string, changes ...string) Push {
	p := Push{ID: id, To: key("pc-1"), Type: "demo.work", Created: time.Now().Add(-time.Hour), Expires: time.Now().Add(time.Hour)}
	for i, text := range changes {
		state, reason, _ := strings.Cut(text, ":")
		p.History = append(p.History, Change{State: state, At: p.Created.Add(time.Duration(i) * time.Minute), Reason: reason})
		p.State = state
	}
	switch p.State {
	case "accepted", "sent", "delivered":
	default:
		p.Done = true
	}
	return p
}

func stored(seq int64, at time.Time, kind, data string) StoredEvent {
	return StoredEvent{Seq: seq, At: at, Kind: kind, Data: json.RawMessage(data)}
}
