package remote

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"signalbox/internal/channel"
	"signalbox/internal/endpoint"
	"signalbox/internal/signalling"
)

// TestModel plays both parties, the management server, the clock, restarts and a store that fails at random, and holds one session against what must always be true of it.
func TestModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		lively := slices.DeleteFunc(slices.Clone(moves), func(m move) bool { return slices.Contains([]string{"denies", "ends", "a minute"}, m.name) })
		steps := rapid.SliceOfN(rapid.SampledFrom(slices.Concat(moves, lively, lively, lively)), 1, 80).Draw(r, "moves") // most sessions get old
		failed := false
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			b.run()
			defer func() { b.stop() }()
			m := &model{bench: b}
			m.o = b.opened()
			for i, step := range steps {
				step.do(m)
				synctest.Wait()
				if what := m.wrong(); what != "" {
					t.Logf("after move %d, %s: %s", i, step.name, what)
					failed = true
					return
				}
			}
			b.store.fail(nil)
			after(time.Hour + rememberFor)
			if s, err := b.store.RemoteSession(t.Context(), domain, m.o.ID); err != nil || s.Open() || b.turn.count() > 0 || len(b.of(pc1)) > 0 {
				t.Logf("an hour later it is %s (%v), with %d TURN sessions and %d of the endpoint", s.State, err, b.turn.count(), len(b.of(pc1)))
				failed = true
			}
		})
		if failed {
			r.Fatal("see the log")
		}
	})
}

// model is one session at play.
type model struct {
	*bench
	o      Opened
	seats  []*seat
	secret string
	was    Session
}

type move struct {
	name string
	do   func(*model)
}

// String shows it in a counterexample.
func (m move) String() string { return m.name }

func (m *model) endpointSays(msg signalling.Message) {
	_ = m.FromEndpoint(m.t.Context(), pc1, msg) // refused or not
}

func (m *model) technicianSays(msg signalling.Message) {
	if len(m.seats) > 0 {
		_ = m.seats[len(m.seats)-1].Take(m.t.Context(), msg)
	}
}

func (m *model) tryAttach(a signalling.Attach) {
	s, err := m.attach(a, home)
	if err != nil {
		return
	}
	m.seats = append(m.seats, s)
	if got := s.take(); len(got) > 0 {
		m.secret = got[0].(signalling.State).Reattach
	}
}

func (m *model) about() signalling.About { return about(m.o.ID) }

func (m *model) change(kinds ...endpoint.ChangeKind) {
	for _, kind := range kinds {
		m.endpoints.set(pc1, kind != endpoint.Suspended && kind != endpoint.Ended)
		m.SessionChanged(endpoint.Change{Kind: kind, Key: pc1})
	}
}

var moves = []move{
	{"asks its user", func(m *model) {
		m.endpointSays(signalling.Consent{About: m.about(), State: signalling.ConsentAsking, Seconds: 30})
	}},
	{"its user allows", func(m *model) { m.endpointSays(signalling.Consent{About: m.about(), State: signalling.ConsentAllowed}) }},
	{"accepts", func(m *model) {
		m.endpointSays(signalling.Accept{About: m.about(), Capabilities: []string{channel.Terminal}})
	}},
	{"goes on", func(m *model) { m.endpointSays(signalling.Accept{About: m.about(), Resumed: true}) }},
	{"finds a way", func(m *model) { m.endpointSays(signalling.Path{About: m.about(), Rung: signalling.RungDirect}) }},
	{"finds another", func(m *model) { m.endpointSays(signalling.Path{About: m.about(), Rung: signalling.RungRelay}) }},
	{"answers", func(m *model) { m.endpointSays(signalling.SDP{About: m.about(), Kind: "answer", SDP: "v=0", Peer: 1}) }},
	{"denies", func(m *model) { m.endpointSays(signalling.Deny{About: m.about(), Reason: "busy"}) }},
	{"is suspended", func(m *model) { m.change(endpoint.Suspended) }},
	{"is resumed", func(m *model) { m.change(endpoint.Resumed) }},
	{"logs in anew", func(m *model) { m.change(endpoint.Ended, endpoint.Bound, endpoint.Available) }},
	{"attaches", func(m *model) { m.tryAttach(signalling.Attach{About: m.about(), Token: m.o.Token}) }},
	{"comes back", func(m *model) { m.tryAttach(signalling.Attach{About: m.about(), Reattach: m.secret}) }},
	{"offers", func(m *model) { m.technicianSays(signalling.SDP{About: m.about(), Kind: "offer", SDP: "v=0", Peer: 1}) }},
	{"wants a leg", func(m *model) { m.technicianSays(signalling.Relay{About: m.about(), Channel: channel.Files}) }},
	{"ends", func(m *model) { m.technicianSays(signalling.End{About: m.about()}) }},
	{"goes", func(m *model) {
		if len(m.seats) > 0 {
			m.seats[len(m.seats)-1].Detach()
		}
	}},
	{"does not read", func(m *model) {
		if len(m.seats) > 0 {
			m.seats[len(m.seats)-1].full = true
		}
	}},
	{"is renewed", func(m *model) {
		if o, err := m.Renew(m.t.Context(), domain, m.o.ID, management); err == nil {
			m.o.Token = o.Token
		}
	}},
	{"ten seconds", func(*model) { after(10 * time.Second) }},
	{"a minute", func(*model) { after(time.Minute) }},
	{"the store fails", func(m *model) { m.store.fail(errBroken) }},
	{"the store works", func(m *model) { m.store.fail(nil) }},
	{"the server restarts", func(m *model) {
		m.store.fail(nil)
		after(2 * retryEvery)
		m.stop()
		m.endpoints.set(pc1, false)
		m.turn.lose()
		m.run()
	}},
}

// wrong says what is not as it must be; empty: all is.
func (m *model) wrong() string {
	now, err := m.Session(m.t.Context(), domain, m.o.ID)
	was := m.was
	m.was = now
	ended := 0
	for _, act := range m.store.acts() {
		if act == "session.ended" {
			ended++
		}
	}
	for _, s := range m.seats {
		if len(s.ends()) > 1 {
			return "a connection was let go twice"
		}
	}
	l := m.find(m.o.ID)
	var tech *Technician
	if l != nil {
		tech, _ = ask(m.t.Context(), &l.queue, func() (*Technician, error) { return l.tech, nil })
	}
	switch {
	case err != nil:
		return "it is gone: " + err.Error()
	case was.State == Ended && (now.State != Ended || now.Reason != was.Reason || !now.Ended.Equal(was.Ended)):
		return "it has ended otherwise than before"
	case (now.State == Ended) != !now.Ended.IsZero() || (now.State == Ended) != (now.Reason != ""):
		return "it is " + string(now.State) + " because of " + now.Reason
	case now.State == Active && (now.Active.IsZero() || now.Accepted.IsZero()), now.State == Connecting && now.Accepted.IsZero():
		return "it is " + string(now.State) + " without having been accepted"
	case ended > 1:
		return "the audit has several ends"
	case now.State == Ended && slices.Contains(m.of(pc1), l):
		return "it has ended and counts as open"
	case now.State != Ended && l == nil:
		return "it is open and not served"
	case now.State == Ended && tech != nil:
		return "it has ended, and a technician is attached"
	case tech != nil && len(tech.seatOf(m.seats).ends()) > 0:
		return "who is attached was let go"
	case now.State != Ended && m.turn.count() > 1 || now.State == Ended && m.turn.count() > 0:
		return "TURN sessions are left"
	}
	return ""
}

// seatOf finds the connection of a technician.
func (t *Technician) seatOf(all []*seat) *seat {
	for _, s := range all {
		if s.Technician == t {
			return s
		}
	}
	return &seat{}
}
