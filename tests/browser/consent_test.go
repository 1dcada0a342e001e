package browser

import (
	"testing"

	"github.com/chromedp/chromedp"

	"signalbox/internal/config"
	"signalbox/internal/signalling"
)

// asks has the server ask users, who have this long.
func asks(c *config.Config) {
	c.Session.Consent, c.Session.ConsentTimeout = signalling.ModeAskDeny, patience
}

// TestConsent: the user at the endpoint is asked in a window, and each answer is what the technician sees; who has allowed it is not asked again after a reload, and can end it there.
func TestConsent(t *testing.T) {
	d := newDesktop(t)
	s := newStage(t, d.environment(), asks)
	t.Run("denied", func(t *testing.T) {
		s, p := s.on(t), browse(t)
		s.connect(p, "terminal", "auto")
		p.sees(".bar", "Waiting for the user")
		p.picture("asked")
		d.press(deny)
		p.sees(".ended", "The user did not allow the session.")
		p.picture("denied")
		s.ended("consent_denied")
	})
	t.Run("no answer", func(t *testing.T) {
		s, p := s.on(t), browse(t)
		s.connect(p, "terminal", "auto")
		p.sees(".bar", "Waiting for the user")
		p.sees(".ended", "Nobody was there to answer")
		p.picture("no-answer")
		s.ended("consent_timeout")
	})
	t.Run("allowed", func(t *testing.T) {
		s, p := s.on(t), browse(t)
		s.connect(p, "terminal", "auto")
		p.sees(".bar", "Waiting for the user")
		d.press(allow)
		p.computes()
		p.run(chromedp.Reload())
		p.prints("42")
		p.picture("allowed")
		d.press(end)
		p.sees(".ended", "The user at the endpoint ended the session.")
		s.ended("user_ended")
	})
}
