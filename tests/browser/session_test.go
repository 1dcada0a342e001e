package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"signalbox/internal/config"
	"signalbox/tests/harness"
)

// TestRungs: a terminal comes up on each rung that a technician asks for, and the page, the server and the user at the endpoint see the same.
func TestRungs(t *testing.T) {
	s := newStage(t, nil)
	for _, row := range []struct{ transport, rung, shown string }{
		{"auto", "direct", "Direct"}, {"turn_only", "turn_udp", "TURN over UDP"}, {"websocket_only", "relay", "Relay (443)"},
	} {
		t.Run(row.transport, func(t *testing.T) {
			s, p := s.on(t), browse(t)
			s.connect(p, "terminal", row.transport)
			p.computes()
			p.Click(".bar button", "Path") // which says why, if it is another rung
			p.Sees(".bar .badge", row.shown)
			s.reaches(row.rung)
			p.Picture("terminal-" + row.rung)
			if listed := s.local("list"); !strings.Contains(listed, "ada") || !strings.Contains(listed, s.session().ID) {
				t.Errorf("the user at the endpoint sees:\n%s", listed)
			}
			p.Click(".bar button", "End")
			p.Click("dialog button", "End the session")
			p.Sees(".ended", "You ended the session.")
			s.ended("technician_ended")
		})
	}
}

// TestConsoleElsewhere: where technicians reach the console at another port than endpoints reach the server, all that its pages connect to is there, too.
func TestConsoleElsewhere(t *testing.T) {
	front := harness.NewFront(t)
	s := newStage(t, nil, func(c *config.Config) { c.Console.URL = "https://localhost:" + front.Port() })
	front.Toward(s.server.Addr("tls"))
	s.port = front.Port()
	p := browse(t)
	s.connect(p, "terminal", "websocket_only")
	p.computes()
	s.reaches("relay")
}

// TestReload: a page that is loaded again goes on with its shell, and nobody is asked anew.
func TestReload(t *testing.T) {
	s := newStage(t, nil)
	p := browse(t)
	s.connect(p, "terminal", "auto")
	p.prompt()
	p.enters("kept=$((6*7))")
	id := s.session().ID
	p.Run(chromedp.Reload())
	p.prompt()
	p.enters("echo got:$kept")
	p.prints("got:42")
	if again := s.session(); again.ID != id || again.State != "active" {
		t.Errorf("the session is %+v, want %s as it was", again, id)
	}
	p.Picture("reloaded")
}

// TestEndedByUser: the user at the endpoint ends the session, and the technician sees who did.
func TestEndedByUser(t *testing.T) {
	s := newStage(t, nil)
	p := browse(t)
	s.connect(p, "terminal", "auto")
	p.computes()
	s.local("end", s.session().ID)
	p.Sees(".ended", "The user at the endpoint ended the session")
	p.Picture("ended-by-user")
	s.ended("user_ended")
}
