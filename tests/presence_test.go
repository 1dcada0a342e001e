package tests

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"signalbox/internal/bus"
	"signalbox/internal/client"
	"signalbox/internal/config"
	"signalbox/internal/endpoint"
	"signalbox/internal/events"
	"signalbox/internal/store"
	"signalbox/tests/harness"
)

// openEvents opens the store of a server that has stopped, or of one that never ran, and returns it with a way to read what happened to an endpoint.
func openEvents(t *testing.T, path string) (*store.Store, func(id string) []events.Event) {
	t.Helper()
	st, err := store.Open(context.Background(), path, store.Default(), zap.NewNop(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return st, func(id string) []events.Event {
		t.Helper()
		all, err := st.ReadEvents(t.Context(), 0, 10000)
		if err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(all, func(e events.Event) bool { return e.Endpoint != id })
	}
}

// stoppedEvents stops a server and returns what happened to an endpoint.
func stoppedEvents(t *testing.T, s *harness.Server, id string) []events.Event {
	t.Helper()
	s.Stop()
	st, read := openEvents(t, filepath.Join(s.Config.DataDir, store.FileName))
	defer func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}()
	return read(id)
}

func typesOf(all []events.Event) string {
	var types []string
	for _, e := range all {
		_, what, _ := strings.Cut(string(e.Type), ".")
		types = append(types, what)
	}
	return strings.Join(types, " ")
}

// presenceOf returns the presence of pc-1 once ok is true of it.
func presenceOf(t *testing.T, s *harness.Server, ok func(client.Presence) bool) (p client.Presence) {
	t.Helper()
	text := ""
	harness.Await(t, func() bool {
		p = client.Presence{}
		_, text = s.Call(t, "GET", "/v1/endpoints/pc-1/presence", "", 200)
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			t.Fatal(err)
		}
		return ok(p)
	}, func() string { return "presence is " + text })
	return p
}

// TestCutWithResumption: a connection that breaks and is resumed shows as offline meanwhile, and is no news.
func TestCutWithResumption(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	register(t, s, "pc-1")
	pc := online(t, s, "pc-1")
	pc.Send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
	_, id, _ := strings.Cut(pc.Want("<enabled"), " id='")
	id, _, _ = strings.Cut(id, "'")
	before := presenceOf(t, s, func(p client.Presence) bool { return p.State == "online" })
	awaitStored(t, s)
	pc.Close()
	presenceOf(t, s, func(p client.Presence) bool { return p.State == "offline" && p.Reason == "connection_lost" })
	awaitStored(t, s)

	again := s.Connect(t, "pc-1")
	again.Authenticate("pc-1", "s3cret-1")
	again.Send("<resume xmlns='urn:xmpp:sm:3' previd='" + id + "' h='0'/>")
	again.Want("<resumed")
	after := presenceOf(t, s, func(p client.Presence) bool { return p.State == "online" })
	awaitStored(t, s)
	if !after.SessionSince.Equal(before.SessionSince) || !after.Since.After(before.Since) {
		t.Errorf("online since %v in a session since %v; before the cut since %v, %v", after.Since, after.SessionSince, before.Since, before.SessionSince)
	}
	if after.LastReason != "connection_lost" || !after.LastEnd.After(before.Since) {
		t.Errorf("the last end was at %v as %q", after.LastEnd, after.LastReason)
	}
	if got, want := typesOf(stoppedEvents(t, s, "pc-1")), "created online detached resumed detached"; got != want {
		t.Errorf("events = %s, want %s", got, want)
	}
}

// lasting is a session in memory.
type lasting struct{ resource string }

func (*lasting) Deliver(endpoint.Stanza) error { return endpoint.ErrOffline }
func (*lasting) End(endpoint.Reason)           {}
func (l *lasting) Facts() endpoint.Facts {
	return endpoint.Facts{Resource: l.resource, Client: l.resource}
}
func (*lasting) LastHeard() time.Time { return time.Now() }

// TestGraceInTime runs the registry and the store through cuts in virtual time, with the times of the default configuration.
func TestGraceInTime(t *testing.T) {
	grace := endpoint.DefaultPresence().OfflineGrace
	for _, tc := range []struct {
		name string
		away time.Duration
		back bool // by a new session rather than a resumption
		want string
	}{
		{"a cut of 20 seconds, resumed", 20 * time.Second, false, "created online detached resumed"},
		{"a cut of 20 seconds, logged in again", 20 * time.Second, true, "created online detached resumed"},
		{"just in time", grace - time.Second, false, "created online detached resumed"},
		{"too late", grace + 2*time.Second, false, "created online detached offline online"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), store.FileName)
			synctest.Test(t, func(t *testing.T) {
				st, read := openEvents(t, path)
				r := endpoint.NewRegistry(bus.Local{}, st, 1, prometheus.NewRegistry())
				ctx, cancel := context.WithCancel(t.Context())
				stopped := make(chan error, 2)
				go func() { stopped <- st.Run(ctx) }()
				k := endpoint.Key{Domain: harness.Domain, ID: "pc-1"}
				if err := st.CreateEndpoint(ctx, endpoint.Endpoint{Key: k, Enabled: true}, endpoint.Secret{}); err != nil {
					t.Fatal(err)
				}
				if err := r.Recover(ctx); err != nil {
					t.Fatal(err)
				}
				go func() { stopped <- r.Run(ctx, zap.NewNop()) }()
				pc := &lasting{"agent"}
				if err := r.Bind(k, pc); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Minute)
				r.Suspend(k, pc, 0, endpoint.ReasonConnectionLost)
				time.Sleep(tc.away)
				if tc.back {
					if err := r.Bind(k, &lasting{"agent"}); err != nil {
						t.Fatal(err)
					}
				} else if !r.Resume(k, pc, 1) {
					t.Fatal("not resumed")
				}
				time.Sleep(10 * time.Minute)
				if got := typesOf(read("pc-1")); got != tc.want {
					t.Errorf("events = %s, want %s", got, tc.want)
				}
				cancel()
				for range cap(stopped) {
					if err := <-stopped; err != nil {
						t.Error(err)
					}
				}
				if err := st.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestPulledCable: an endpoint that says nothing any more is unresponsive when it is asked, offline after its liveness time, and news after the grace.
func TestPulledCable(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, func(c *config.Config) {
		c.XMPP.Liveness, c.XMPP.PingAfter = 10*time.Second, 5*time.Second
		c.Events.OfflineGrace = time.Second
	})
	register(t, s, "pc-1")
	cable := startRelay(t, s.Addr("tls"))
	runAgent(t, newHandlers(t).agentConfig(s, "pc-1", cable.addr()))
	presenceOf(t, s, func(p client.Presence) bool { return p.State == "online" })
	probe := func() (p client.Probe) {
		t.Helper()
		begun := time.Now()
		_, text := s.Call(t, "POST", "/v1/endpoints/pc-1/probe", "", 200)
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > 5*time.Second { // it gives up after 1.8; liveness is twice as long as this
			t.Errorf("the probe took %v, want 2s where nothing else runs", took)
		}
		return p
	}
	var p client.Probe
	for tries := 0; p.State != "online" && tries < 3; tries++ { // a busy machine may let an answer be late
		p = probe()
	}
	if p.State != "online" || p.RTT <= 0 || p.RTT > 1800 {
		t.Errorf("probe of an agent: %+v", p)
	}
	cable.hold()
	if p := probe(); p.State != "unresponsive" || p.Presence.State != "online" {
		t.Errorf("probe of one whose cable was pulled: %+v", p)
	}
	gone := presenceOf(t, s, func(p client.Presence) bool { return p.State == "offline" })
	if silent := gone.Since.Sub(gone.LastHeard); gone.Reason != "silent" || silent < 10*time.Second || silent > 12*time.Second {
		t.Errorf("offline as %s, %v after it was heard, want silent after 10 to 12s", gone.Reason, silent)
	}
	if p := probe(); p.State != "offline" {
		t.Errorf("probe of one that is offline: %+v", p)
	}
	harness.Await(t, func() bool { return toldState(t, s, "pc-1") == "offline" }, func() string { return "events never told of it" })
}

// awaitStored waits until the presence of pc-1 is written as the API shows it: what changes before is never written, nor told.
func awaitStored(t *testing.T, s *harness.Server) {
	t.Helper()
	now := presenceOf(t, s, func(client.Presence) bool { return true })
	harness.Await(t, func() bool {
		e := stored(t, s, "pc-1")
		return e.RemoteAddr == now.RemoteAddr && (e.State == now.State && e.Actual == "" || e.Actual == now.State)
	}, func() string { return "the presence is never written" })
}

// toldState returns the state of an endpoint that events told.
func toldState(t *testing.T, s *harness.Server, id string) string {
	t.Helper()
	return stored(t, s, id).State
}

// stored returns an endpoint as a snapshot shows it.
func stored(t *testing.T, s *harness.Server, id string) (found client.SnapshotEndpoint) {
	t.Helper()
	c, err := client.New(s.URL(), s.Token, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.TakeSnapshot(t.Context(), client.EndpointFilter{Search: id}, func(e client.SnapshotEndpoint) error {
		found = e
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestTakeoverTellsOnce: a session that replaces another is one event with its place, and the endpoint is never offline.
func TestTakeoverTellsOnce(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, func(c *config.Config) { c.Events.OfflineGrace = 0 })
	register(t, s, "pc-1")
	old := online(t, s, "pc-1")
	awaitStored(t, s)
	young := s.Connect(t, "young")
	young.Login("pc-1", "s3cret-1", "other")
	old.Want("<stream:error><conflict ")
	awaitStored(t, s)
	same := s.Connect(t, "same")
	same.Login("pc-1", "s3cret-1", "other") // the same installation from the same address
	young.Want("<stream:error><conflict ")
	if p := presenceOf(t, s, func(p client.Presence) bool { return p.Resource == "other" }); p.State != "online" {
		t.Errorf("presence = %+v", p)
	}
	awaitStored(t, s)
	all := stoppedEvents(t, s, "pc-1")
	if got, want := typesOf(all), "created online online resumed detached offline"; got != want {
		t.Fatalf("events = %s, want %s", got, want)
	}
	if got := string(all[2].Data); !strings.Contains(got, `"resource":"other"`) || !strings.Contains(got, `"remote_addr":"127.0.0.1:`) {
		t.Errorf("the takeover tells %s", got)
	}
}

// TestFlappingEndpoint: one whose sessions come and go is named once, and nothing else is told of it until it is calm.
func TestFlappingEndpoint(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, func(c *config.Config) {
		c.Events.OfflineGrace, c.Events.FlappingSessions, c.Events.FlappingCalm = 0, 3, 10*time.Second // time enough to look while it flaps
	})
	register(t, s, "pc-1")
	var pc *harness.Stream
	for i := range 4 {
		if i > 0 {
			pc.Send("</stream:stream>")
			pc.Want("(end)")
			presenceOf(t, s, func(p client.Presence) bool { return p.State == "offline" })
			awaitStored(t, s)
		}
		pc = online(t, s, "pc-1")
		presenceOf(t, s, func(p client.Presence) bool {
			return p.State == "online" && p.Sessions == i+1 && p.Flapping == (i == 3)
		})
		awaitStored(t, s)
	}
	if got := toldState(t, s, "pc-1"); got != "offline" {
		t.Errorf("while it flaps events tell that it is %s, want offline: the last before", got)
	}
	harness.Await(t, func() bool { return toldState(t, s, "pc-1") == "online" }, func() string { return "events never told that it is calm and online" })
	presenceOf(t, s, func(p client.Presence) bool { return !p.Flapping })
	if got, want := typesOf(stoppedEvents(t, s, "pc-1")), "created online offline online offline online offline flapping resumed online detached offline"; got != want {
		t.Errorf("events = %s, want %s", got, want)
	}
}

// TestClonedAgents: two real agents with one identity, each on an address of its own. The one that comes back does not throw the other out.
func TestClonedAgents(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	register(t, s, "pc-1")
	machine := func(source string) (start func() (stop func())) {
		h := newHandlers(t)
		wire := startRelay(t, s.Addr("tls"))
		wire.from.Store(&net.TCPAddr{IP: net.ParseIP(source)})
		return func() func() { return runAgent(t, h.agentConfig(s, "pc-1", wire.addr())) }
	}
	at := func(source string) client.Presence {
		t.Helper()
		return presenceOf(t, s, func(p client.Presence) bool {
			return p.State == "online" && strings.HasPrefix(p.RemoteAddr, source+":")
		})
	}
	first, second := machine("127.0.0.2"), machine("127.0.0.3")
	stop := first()
	at("127.0.0.2")
	second()
	at("127.0.0.3") // the newer one takes over, as always
	stop()
	first()
	p := presenceOf(t, s, func(p client.Presence) bool { return p.Cloned != nil })
	if !strings.HasPrefix(p.Cloned.RemoteAddr, "127.0.0.2:") || p.State != "online" || !strings.HasPrefix(p.RemoteAddr, "127.0.0.3:") {
		t.Errorf("presence = %+v, want that of the second agent, with the first as its rival", p)
	}
	s.Call(t, "POST", "/v1/endpoints/pc-1/secret", `{"secret":"s3cret-2"}`, 200)
	presenceOf(t, s, func(p client.Presence) bool {
		return p.State == "offline" && p.Reason == "secret_changed" && p.Cloned == nil
	})
	all := stoppedEvents(t, s, "pc-1")
	var cloned []string
	for _, e := range all {
		if e.Type == events.EndpointCloned {
			cloned = append(cloned, string(e.Data))
		}
	}
	if len(cloned) != 1 || !strings.Contains(cloned[0], `"remote_addr":"127.0.0.3:`) || !strings.Contains(cloned[0], `"other_addr":"127.0.0.2:`) {
		t.Errorf("told of clones: %v, want one event with both addresses; all: %s", cloned, fmt.Sprint(typesOf(all)))
	}
}
