package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"signalbox/internal/access"
	"signalbox/internal/events"
)

// sseEvent is one event as a reader of the stream gets it; without a type it is a number alone.
type sseEvent struct{ id, kind, data string }

// sseStream reads a stream as WHATWG HTML section 9.2.6 says.
type sseStream struct {
	t    *testing.T
	body io.ReadCloser
	r    *bufio.Reader
}

// next returns the next event, or what carried a number alone if numbers is set.
func (s *sseStream) next(numbers bool) sseEvent {
	s.t.Helper()
	var e sseEvent
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			s.t.Fatalf("the stream ended: %v", err)
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch field {
		case "":
			if e.data != "" || numbers && e.id != "" {
				return e
			}
			e = sseEvent{}
		case "id":
			e.id = value
		case "event":
			e.kind = value
		case "data":
			e.data += value
		}
	}
}

// open opens a stream as the holder of an admin token.
func (w *world) open(query string, headers ...string) (*sseStream, *http.Response) {
	w.t.Helper()
	srv := httptest.NewServer(w.srv.Handler())
	w.t.Cleanup(srv.Close)
	ctx, cancel := context.WithCancel(w.t.Context())
	w.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+eventsPath+query, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.tokens[access.ScopeAdmin])
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := srv.Client().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = res.Body.Close() })
	return &sseStream{t: w.t, body: res.Body, r: bufio.NewReader(res.Body)}, res
}

func (w *world) opened(query string, headers ...string) *sseStream {
	w.t.Helper()
	s, res := w.open(query, headers...)
	if media := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || media != eventStream || res.Header.Get("Cache-Control") != "no-store" {
		w.t.Fatalf("status %d, %s, header %v", res.StatusCode, media, res.Header)
	}
	return s
}

func TestEventStream(t *testing.T) {
	w := newWorld(t, Default())
	s := w.opened("")
	if first := s.next(true); first.id != "0" || first.data != "" {
		t.Errorf("the stream begins with %+v, want the number 0", first)
	}
	w.do("POST", "/v1/endpoints", `{"id":"pc-1","labels":{"site":"<&>"}}`).ok(http.StatusCreated)
	id, _ := w.do("POST", "/v1/pushes", `{"to":"pc-1","type":"a"}`).ok(http.StatusAccepted).json()["id"].(string)
	created, accepted := s.next(false), s.next(false)
	if created.kind != "endpoint.created" || !strings.Contains(created.data, `"data":{"enabled":true,"labels":{"site":"<&>"},"groups":[]}`) {
		t.Errorf("first event %+v", created)
	}
	var body struct {
		ID, Type, Endpoint, Push, Timestamp string
		Seq                                 int64
		Data                                events.PushData
	}
	if err := json.Unmarshal([]byte(accepted.data), &body); err != nil {
		t.Fatal(err)
	}
	if accepted.id != strconv.FormatInt(body.Seq, 10) || accepted.kind != "push.accepted" || body.Type != accepted.kind || body.Endpoint != "pc-1" || body.Push != id ||
		body.ID != (events.Event{Seq: body.Seq}).ID() || !strings.HasSuffix(body.Timestamp, "Z") || body.Data.Type != "a" || body.Data.State != "accepted" {
		t.Errorf("second event %+v", accepted)
	}
	// The number of the first is the place to come back to.
	for _, place := range [][]string{{"?after=" + created.id}, {"", "Last-Event-ID", created.id}, {"?after=0", "Last-Event-ID", created.id}} {
		if again := w.opened(place[0], place[1:]...).next(false); again != accepted {
			t.Errorf("behind %s %v came %+v, want %+v", created.id, place, again, accepted)
		}
	}
	if all := w.opened("?after=0").next(false); all != created {
		t.Errorf("from the start came %+v, want %+v", all, created)
	}
}

func TestEventFilters(t *testing.T) {
	w := newWorld(t, Default())
	for _, id := range []string{"pc-1", "pc-2"} {
		w.do("POST", "/v1/endpoints", fmt.Sprintf(`{"id":%q}`, id)).ok(http.StatusCreated)
	}
	one, _ := w.do("POST", "/v1/pushes", `{"to":"pc-1","type":"a"}`).json()["id"].(string)
	many, _ := w.do("POST", "/v1/pushes", `{"to":["pc-1","pc-2"],"type":"a"}`).json()["id"].(string)
	w.do("DELETE", "/v1/pushes/"+one, "").ok(http.StatusOK)
	for _, tc := range []struct{ query, want string }{
		{"", "endpoint.created endpoint.created push.accepted push.accepted push.accepted push.cancelled"},
		{"&type=push.cancelled,endpoint.*", "endpoint.created endpoint.created push.cancelled"},
		{"&type=push.cancelled&type=cert.*", "push.cancelled"},
		{"&endpoint=pc-2", "endpoint.created push.accepted"},
		{"&endpoint=pc-2,pc-1&type=endpoint.created", "endpoint.created endpoint.created"},
		{"&push=" + one, "push.accepted push.cancelled"},
		{"&push=" + many, "push.accepted push.accepted"},
		{"&push=" + many + "&endpoint=pc-1", "push.accepted"},
	} {
		var got []string
		for _, item := range w.do("GET", "/v1/events?limit=10&after=0"+tc.query, "").ok(http.StatusOK).json()["items"].([]any) {
			got = append(got, item.(map[string]any)["type"].(string))
		}
		if text := strings.Join(got, " "); text != tc.want {
			t.Errorf("%q selects %q, want %q", tc.query, text, tc.want)
		}
	}
}

func TestEventList(t *testing.T) {
	w := newWorld(t, Default())
	page := func(after string) (n int, next string) {
		t.Helper()
		got := w.do("GET", "/v1/events?limit=2"+after, "").ok(http.StatusOK).json()
		return len(got["items"].([]any)), got["next"].(string)
	}
	if n, next := page(""); n != 0 || next != "0" {
		t.Errorf("now: %d events, next %s", n, next)
	}
	for i := range 5 {
		w.do("POST", "/v1/endpoints", fmt.Sprintf(`{"id":"pc-%d"}`, i)).ok(http.StatusCreated)
	}
	next := "0"
	for _, want := range []int{2, 2, 1, 0} {
		before := next
		var n int
		if n, next = page("&after=" + before); n != want || (n == 0) != (next == before) {
			t.Errorf("behind %s: %d events, next %s; want %d", before, n, next, want)
		}
	}
}

func TestEventQueryMistakes(t *testing.T) {
	w := newWorld(t, Default())
	for _, tc := range []struct{ query, place string }{
		{"after=x", "after"}, {"after=-1", "after"}, {"after=01", "after"}, {"after=9999999999999999999", "after"},
		{"type=push", "type"}, {"type=endpoint.detached", "type"}, {"type=", "type"}, {"type=push.*,", "type"},
		{"endpoint=PC", "endpoint"}, {"endpoint=", "endpoint"}, {"endpoint=" + strings.Repeat("a,", 100) + "a", "endpoint"},
		{"push=psh_0", "push"}, {"limit=0", "limit"}, {"limit=501", "limit"}, {"since=1", "since"},
	} {
		query := tc.query
		if tc.place != "limit" {
			query = "limit=1&" + query
		}
		w.do("GET", "/v1/events?"+query, "").want(validationFailed, tc.place)
	}
	for _, id := range []string{"x", "-1", "00", "9223372036854775808"} {
		w.do("GET", "/v1/events?after=0", "", "Last-Event-ID", id).want(validationFailed, "Last-Event-ID")
	}
	w.do("GET", "/v1/events", "", "Last-Event-ID", "7").want(eventsGone)
	w.do("GET", "/v1/events?limit=1&after=7", "").want(eventsGone)
}

func TestEventStreamsAreBounded(t *testing.T) {
	w := newWorld(t, Default())
	first := w.opened("")
	for range worldFollowers - 1 {
		w.opened("")
	}
	full := w.do("GET", "/v1/events", "")
	if full.want(busy); full.header.Get("Retry-After") != "10" {
		t.Errorf("Retry-After = %q, want 10", full.header.Get("Retry-After"))
	}
	if got := len(w.srv.slots); got != 0 {
		t.Errorf("streams hold %d slots of requests", got)
	}
	_ = first.body.Close()
	for { // the server sees the end of the connection when it sees it
		if _, res := w.open("?after=0"); res.StatusCode == http.StatusOK {
			return
		}
	}
}

// TestEventStreamEndsWithItsToken: a token that was revoked reads no further, at the next heartbeat at the latest.
func TestEventStreamEndsWithItsToken(t *testing.T) {
	w := newWorld(t, Default())
	t.Cleanup(func() { // when the server has ended
		if n := testutil.CollectAndCount(w.srv.metrics.seconds); n != 2 { // the routes of tokens
			t.Errorf("%d routes have times, want those without the stream", n)
		}
	})
	made := w.do("POST", "/v1/tokens", `{"name":"n","scopes":["read"]}`).ok(http.StatusCreated).json()
	s := w.opened("", "Authorization", "Bearer "+made["token"].(string))
	s.next(true)
	w.do("DELETE", "/v1/tokens/n", "").ok(http.StatusNoContent)
	if _, err := io.ReadAll(s.r); err != nil {
		t.Errorf("the stream ended with %v, want a clean end", err)
	}
}

// TestEventStreamHeartbeat: numbers come while there is nothing to tell, and they grow with what was not selected.
func TestEventStreamHeartbeat(t *testing.T) {
	w := newWorld(t, Default())
	s := w.opened("?type=cert.*")
	first := s.next(true)
	w.do("POST", "/v1/endpoints", `{"id":"pc-1"}`).ok(http.StatusCreated)
	for n := s.next(true); n.id != "1"; n = s.next(true) {
		if n.id != first.id || n.data != "" {
			t.Fatalf("got %+v", n)
		}
	}
}

func TestEventStreamHead(t *testing.T) {
	w := newWorld(t, Default())
	w.send(request("HEAD", eventsPath, w.tokens[access.ScopeRead], "")).ok(http.StatusOK)
	if f, err := w.hub.Follow(t.Context(), events.FromNow, events.Filter{}); err != nil {
		t.Error(err)
	} else {
		f.Close()
	}
}

func FuzzEventPlace(f *testing.F) {
	for _, seed := range []string{"", "0", "1", "4711", "-1", "+1", "01", "9223372036854775807", "9223372036854775808", " 1", "1_000", "0x10", "\u0661"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, header, parameter string) {
		n, ok := eventPlace(header, parameter)
		if !ok {
			return
		}
		switch text := header + parameter; {
		case n >= 0:
			if canonical := strconv.FormatInt(n, 10); header != canonical && (header != "" || parameter != canonical) {
				t.Errorf("%q, %q give %d", header, parameter, n)
			}
		case n == events.FromNow && text != "", n == events.FromStart && (header != "" || parameter != "0"), n < events.FromStart:
			t.Errorf("%q, %q give %d", header, parameter, n)
		}
	})
}
