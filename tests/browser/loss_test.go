package browser

import (
	"testing"
	"time"
)

// TestCut: all connections with the server break, and the terminal goes on with the same shell, on whatever rung it was.
func TestCut(t *testing.T) {
	s := newStage(t, nil)
	for transport, rung := range map[string]string{"auto": "direct", "websocket_only": "relay"} {
		t.Run(rung, func(t *testing.T) {
			s, p := s.on(t), browse(t)
			s.goesOn(p, transport, rung, s.front.Cut)
		})
	}
}

// TestOutage: nothing reaches the server for most of the time that a session waits for its parties, who come back within what is left of it.
func TestOutage(t *testing.T) {
	s := newStage(t, nil)
	s.goesOn(browse(t), "websocket_only", "relay", func() { s.front.Fail(t, 45*time.Second) })
}

// TestServerRestart: the server starts anew while a session runs, and neither side notices more than a pause.
func TestServerRestart(t *testing.T) {
	s := newStage(t, nil)
	for transport, rung := range map[string]string{"auto": "direct", "websocket_only": "relay", "turn_only": "turn_udp"} {
		t.Run(rung, func(t *testing.T) {
			s, p := s.on(t), browse(t)
			s.goesOn(p, transport, rung, func() {
				s.server.KeepPorts()
				s.server.Stop()
				s.server.Run()
			})
			p.Picture("restarted-" + rung)
		})
	}
}

// goesOn opens a session, has something happen to it, and checks that the same shell is there afterwards, in the same session.
func (s *stage) goesOn(p *visit, transport, rung string, happens func()) {
	s.t.Helper()
	s.connect(p, "terminal", transport)
	p.prompt()
	p.enters("kept=$((6*7))")
	s.reaches(rung)
	id := s.session().ID
	happens()
	p.insists("echo got:$kept", "got:42")
	p.Sees(".bar .badge", "Live")
	s.reaches(rung)
	if again := s.session(); again.ID != id {
		s.t.Errorf("the session is %+v, want %s", again, id)
	}
	p.Click(".bar button", "End")
	p.Click("dialog button", "End the session")
	s.ended("technician_ended")
}
