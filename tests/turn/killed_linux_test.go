package turn

import (
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"signalbox/internal/push"
	"signalbox/tests/crash/rig"
	"signalbox/tests/turn/rawturn"
)

// TestKilled: when the TURN process is killed, no XMPP session ends, sessions of before get new allocations within 2 s on the same ports, again and again; it ends with
// the server.
func TestKilled(t *testing.T) {
	s := newStand(t, settings{})
	p := s.probe()
	e := s.endpoint("pc-1")
	session := s.open(t)
	p.allocated("udp", session.a)
	const kills, bound = 4, 2 * time.Second
	for range kills {
		before := s.child()
		if before == 0 {
			t.Fatal("there is no TURN process")
		}
		begun := time.Now()
		must(t, syscall.Kill(before, syscall.SIGKILL))
		// The session of before, over every transport, by its old credential.
		for _, network := range []string{"udp", "tcp", "tls"} {
			await(t, func() bool { return s.allocates(network, session.a) }, func() string { return "no allocation over " + network })
		}
		took := time.Since(begun)
		if took > bound {
			t.Errorf("new allocations took %v, want at most %v", took, bound)
		}
		t.Logf("FIGURES new allocations %v after the kill", took.Round(time.Millisecond))
		if after := s.child(); after == before || after == 0 {
			t.Errorf("the TURN process is %d, was %d", after, before)
		}
		e.pushed() // by the session of before
	}
	p.alive()
	child := s.child()
	must(t, s.server.Stop(patience))
	await(t, func() bool { return syscall.Kill(child, 0) == syscall.ESRCH }, func() string { return "the TURN process outlived the server" })
	s.relaunch()
}

// TestServerKilled: the TURN process ends with a server that was killed, so that nobody holds the port for the next one.
func TestServerKilled(t *testing.T) {
	s := newStand(t, settings{})
	p := s.probe()
	p.allocated("udp", p.user())
	child := s.child()
	must(t, s.server.Kill())
	await(t, func() bool { return syscall.Kill(child, 0) == syscall.ESRCH }, func() string { return "the TURN process outlived the server" })
	s.relaunch()
	s.probe().alive()
}

// relaunch starts the server again, where it has ended.
func (s *stand) relaunch() {
	s.t.Helper()
	built, err := programs()
	must(s.t, err)
	s.launch(built, 0)
}

// allocates reports whether an account gets an allocation now.
func (s *stand) allocates(network string, a rawturn.Account) bool {
	g := s.target()
	c, err := rawturn.Dial(s.t.Context(), rawturn.Server{Network: network, Addr: g.addrs[network], TLS: g.tls, Local: source()})
	if err != nil {
		return false
	}
	s.t.Cleanup(func() { _ = c.Close() })
	c.Account = a
	if m, err := c.Ask(rawturn.New(rawturn.Allocate, rawturn.Transport(17)).Encode(), 200*time.Millisecond); err != nil || m.Code() != 401 {
		return false
	}
	m, err := c.DoIn(time.Second, rawturn.Allocate, rawturn.Transport(17))
	return err == nil && m.Success()
}

// online is an endpoint with one XMPP session, which has to last.
type online struct {
	s   *stand
	id  string
	got chan string
}

// endpoint registers an endpoint and keeps it online until the test ends.
func (s *stand) endpoint(id string) *online {
	s.t.Helper()
	var made struct{ Secret string }
	s.call(s.t, "POST", "/v1/endpoints", `{"id":"`+id+`"}`, http.StatusCreated, &made)
	o := &online{s, id, make(chan string, 100)}
	e := rig.Endpoint{ID: id, Secret: made.Secret, Confirmed: func(rig.Answer) {}, Push: func(r rig.Received) []rig.Answer {
		o.got <- r.ID
		return []rig.Answer{{Push: r.ID, State: push.Delivered}}
	}}
	var session sync.WaitGroup
	session.Go(func() {
		_ = e.Run(s.t.Context(), s.site.TLS, s.site.ClientTLS())
		close(o.got) // a push that is waited for says so
	})
	s.t.Cleanup(session.Wait)
	return o
}

// pushed posts a push and waits for it on the endpoint's one session.
func (o *online) pushed() {
	o.s.t.Helper()
	var made struct{ ID string }
	o.s.call(o.s.t, "POST", "/v1/pushes", `{"to":"`+o.id+`","type":"demo.any"}`, http.StatusAccepted, &made)
	select {
	case got, open := <-o.got:
		if !open || got != made.ID {
			o.s.t.Fatalf("got push %q, want %s; the session lives: %v", got, made.ID, open)
		}
	case <-time.After(patience):
		o.s.t.Fatalf("push %s did not come", made.ID)
	}
}
