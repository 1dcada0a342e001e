package browser

import (
	"testing"
	"time"

	"signalbox/internal/signalling"
	"signalbox/tests/harness"
	"signalbox/tests/page"
	"signalbox/tests/screen"
)

// TestSilence: what it means that nobody answers is a matter of the mode, whether the user says nothing, has locked the screen, where nothing is shown then, or is not there at all.
func TestSilence(t *testing.T) {
	d := newDesktop(t)
	for _, mode := range []string{signalling.ModeAskAllow, signalling.ModeAskDeny} {
		s := newStage(t, d.environment(), asks(mode, 15*time.Second)) // by then it was seen that the user is asked
		for _, row := range []struct {
			user           user
			state, desktop string // of the record
		}{
			{there, signalling.ConsentTimedOut, signalling.DesktopActive},
			{behind, signalling.ConsentNobody, signalling.DesktopLocked},
			{away, signalling.ConsentNobody, signalling.DesktopNone},
		} {
			t.Run(mode+", the user is "+string(row.user), func(t *testing.T) {
				s, p := s.on(t), browse(t)
				d.user.Store(row.user)
				s.connect(p, "terminal", "auto")
				if row.user == there {
					d.Window()
					p.Sees(".bar", "Waiting for the user")
				}
				s.goesBy(p, mode)
				p.Picture("silence")
				if got := s.session().Consent; got.State != row.state || got.Desktop != row.desktop {
					t.Errorf("the record says %+v, want %s by a desktop that was %s", got, row.state, row.desktop)
				}
				harness.Await(t, func() bool { return len(d.Windows()) == 0 }, func() string { return "a window outlives the session" })
			})
		}
	}
}

// goesBy sees a session through that nobody answers.
func (s *stage) goesBy(p *visit, mode string) {
	s.t.Helper()
	if mode == signalling.ModeAskDeny {
		p.Sees(".ended", "Nobody was there to answer")
		s.ended("consent_timeout")
		return
	}
	p.computes()
	p.Click(".bar button", "End")
	p.Click("dialog button", "End the session")
	s.ended("technician_ended")
}

// TestNoIsNo: a user who denies is heard where silence would allow.
func TestNoIsNo(t *testing.T) {
	d := newDesktop(t)
	s, p := newStage(t, d.environment(), asks(signalling.ModeAskAllow, page.Within)), browse(t)
	s.connect(p, "terminal", "auto")
	d.Press(screen.Deny)
	p.Sees(".ended", "The user did not allow the session.")
	s.ended("consent_denied")
}
