package tests

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"signalbox/internal/config"
	"signalbox/internal/events"
	"signalbox/internal/store"
	"signalbox/tests/harness"
)

// fleet is how many endpoints TestUpgrade has; the race detector makes each ten times as expensive.
const fleet = 1000 / raceCost

// upgraded is an endpoint that an upgrade meets: it comes back when it is told to and resumes its session.
type upgraded struct {
	id, smid string
	received uint32         // stanzas that count
	sent     []string       // the same, the other way
	pushes   map[string]int // how often each came
}

// enter begins a session.
func (u *upgraded) enter(st *harness.Stream) {
	st.Login(u.id, "s3cret-1", "r")
	st.Send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
	_, rest, _ := strings.Cut(st.Want("<enabled", "resume='true'"), " id='")
	u.smid, _, _ = strings.Cut(rest, "'")
	u.send(st, "<presence/>")
}

func (u *upgraded) send(st *harness.Stream, stanza string) {
	u.sent = append(u.sent, stanza)
	st.Send(stanza)
}

// again resumes the session and says once more what the server has not counted.
func (u *upgraded) again(st *harness.Stream) {
	st.Authenticate(u.id, "s3cret-1")
	st.Send(fmt.Sprintf("<resume xmlns='urn:xmpp:sm:3' previd='%s' h='%d'/>", u.smid, u.received))
	_, rest, _ := strings.Cut(st.Want("<resumed"), " h='")
	text, _, _ := strings.Cut(rest, "'")
	if h, err := strconv.Atoi(text); err == nil && h <= len(u.sent) {
		st.Send(strings.Join(u.sent[h:], ""))
	}
}

// serve takes pushes and answers them until the stream ends, or until it has got as many as wanted. It returns when the server wants it back.
func (u *upgraded) serve(t *testing.T, st *harness.Stream, want int) (after time.Duration) {
	for want == 0 || len(u.pushes) < want {
		item := st.Next()
		switch {
		case strings.HasPrefix(item, "<r "):
			st.Send(fmt.Sprintf("<a xmlns='urn:xmpp:sm:3' h='%d'/>", u.received))
		case strings.HasPrefix(item, "<message"):
			_, rest, _ := strings.Cut(item, "<push xmlns='urn:signalbox:push:1' id='")
			id, _, _ := strings.Cut(rest, "'")
			u.received++
			u.pushes[id]++
			u.send(st, receipt(id))
		case strings.HasPrefix(item, "<stream:error"):
			return time.Duration(retryAfter(t, item)) * time.Second
		case item == "(closed)", item == "(end)":
			t.Errorf("%s: the stream ended without a word", u.id)
			return 0
		}
	}
	return 0
}

// TestUpgrade: a thousand endpoints are sent away while pushes are posted to all of them, the server is stopped and started anew, and they come back when they were told
// to: each resumes its session, no accepted push is lost or comes twice, and none of them was ever told of as offline.
func TestUpgrade(t *testing.T) {
	s := harness.Start(t, func(c *config.Config) {
		c.XMPP.ShutdownTimeout, c.XMPP.ResumeTimeout, c.Events.OfflineGrace = 5*time.Second, 10*time.Minute, 10*time.Minute // a machine may be slow
	})
	ids := make([]string, fleet)
	for i := range ids {
		ids[i] = fmt.Sprintf("pc-%04d", i)
	}
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait) // of a test that fails meanwhile: once its streams are closed
	all := make([]*upgraded, fleet)
	streams := make([]*harness.Stream, fleet)
	each := func(do func(i int)) {
		var wg sync.WaitGroup
		slots := make(chan struct{}, 16)
		for i := range fleet {
			wg.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				do(i)
			})
		}
		wg.Wait()
	}
	for _, id := range ids {
		register(t, s, id)
	}
	each(func(i int) {
		all[i] = &upgraded{id: ids[i], pushes: map[string]int{}}
		streams[i] = s.Connect(t, ids[i])
		all[i].enter(streams[i])
	})
	to, err := json.Marshal(ids)
	if err != nil {
		t.Fatal(err)
	}
	body := `{"to":` + string(to) + `,"type":"demo.any"}`
	var posted []string
	post := func() { posted = append(posted, s.Submit(t, body)) }

	post()
	backAt := make([]time.Time, fleet)
	for i := range fleet {
		serving.Go(func() {
			after := all[i].serve(t, streams[i], 0)
			backAt[i] = time.Now().Add(after)
			streams[i].Close()
		})
	}
	s.Call(t, "POST", "/v1/drain", `{"period":3,"reason":"upgrade"}`, http.StatusAccepted)
	post()
	harness.Await(t, func() bool { return draining(t, s).State == "drained" }, func() string { return fmt.Sprint(draining(t, s)) })
	serving.Wait()
	post()
	s.KeepPorts()
	s.Stop()
	s.Run()
	post()

	first, last := slices.MinFunc(backAt, time.Time.Compare), slices.MaxFunc(backAt, time.Time.Compare)
	t.Logf("endpoints are told to be back within %v", last.Sub(first).Round(time.Millisecond))
	each(func(i int) {
		if wait := time.Until(backAt[i]); wait > 0 {
			timer := time.NewTimer(wait)
			<-timer.C
		}
		st := s.Connect(t, ids[i])
		all[i].again(st)
		all[i].serve(t, st, len(posted))
		st.Send(fmt.Sprintf("<a xmlns='urn:xmpp:sm:3' h='%d'/>", all[i].received))
	})
	for _, u := range all {
		for id, n := range u.pushes {
			if n != 1 {
				t.Errorf("%s got push %s %d times", u.id, id, n)
			}
		}
	}
	for _, id := range posted {
		var p struct{ Counts map[string]int }
		harness.Await(t, func() bool {
			_, text := s.Call(t, "GET", "/v1/pushes/"+id, "", http.StatusOK)
			p.Counts = nil
			return json.Unmarshal([]byte(text), &p) == nil && p.Counts["delivered"] == fleet
		}, func() string { return fmt.Sprintf("push %s: %v", id, p.Counts) })
	}
	s.Stop()
	for kind, n := range told(t, s) {
		if kind == events.EndpointOffline && n > 0 || kind == events.EndpointOnline && n != fleet {
			t.Errorf("%d events %s of %d endpoints", n, kind, fleet)
		}
	}
}

// told counts the events of a server that does not run.
func told(t *testing.T, s *harness.Server) map[events.Type]int {
	t.Helper()
	path, err := store.Locate(s.Config.Store.URL, s.Config.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), path, s.Config.Store.Config, zap.NewNop(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	counts := map[events.Type]int{}
	for after := int64(0); ; {
		some, err := st.ReadEvents(t.Context(), after, 500)
		if err != nil {
			t.Fatal(err)
		}
		if len(some) == 0 {
			return counts
		}
		for _, e := range some {
			counts[e.Type]++
			after = e.Seq
		}
	}
}
