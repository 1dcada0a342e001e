package browser

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"signalbox/internal/config"
	"signalbox/internal/signalling"
	"signalbox/tests/page"
	"signalbox/tests/screen"
)

// asks has the server ask users in a mode, and wait so long for their answers.
func asks(mode string, patience time.Duration) func(*config.Config) {
	return func(c *config.Config) { c.Session.Consent, c.Session.ConsentTimeout = mode, patience }
}

// TestConsent: the user at the endpoint is asked in a window, and each answer is what the technician sees; who has allowed it is not asked again after a reload, and can end it there.
func TestConsent(t *testing.T) {
	d := newDesktop(t)
	s := newStage(t, d.environment(), asks(signalling.ModeAskDeny, page.Within))
	t.Run("denied", func(t *testing.T) {
		s, p := s.on(t), browse(t)
		s.connect(p, "terminal", "auto")
		p.Sees(".bar", "Waiting for the user")
		p.Picture("asked")
		d.Press(screen.Deny)
		p.Sees(".ended", "The user did not allow the session.")
		p.Picture("denied")
		s.ended("consent_denied")
	})
	t.Run("allowed", func(t *testing.T) {
		s, p := s.on(t), browse(t)
		s.connect(p, "terminal", "auto")
		p.Sees(".bar", "Waiting for the user")
		d.Press(screen.Allow)
		p.computes()
		p.Run(chromedp.Reload())
		p.prints("42")
		p.Picture("allowed")
		d.Press(screen.End)
		p.Sees(".ended", "The user at the endpoint ended the session.")
		s.ended("user_ended")
	})
}
