package remote

import (
	"context"
	"time"

	"signalbox/internal/signalling"
)

// Question is what the user at the endpoint is asked.
type Question struct {
	Session     string // id
	Technician  signalling.Technician
	Why         string // as the technician or the management server gave it
	Message     string // instead of our own question; empty: ours
	Kinds       []string
	Permissions []string
	Timeout     time.Duration // until the question answers itself
	Allows      bool          // what no answer means
}

// Answer is what became of a question: signalling.ConsentAllowed, ConsentDenied, ConsentTimedOut or ConsentNobody, or NotShown.
type Answer string

// NotShown is the Answer where a user is there who did not see the question. To the technician it is one that nobody answered in time.
const NotShown Answer = "not_shown"

// Notice is what the user is shown while a session runs.
type Notice struct {
	Session    string // id
	Technician signalling.Technician
	Kinds      []string
	Expires    time.Time
	End        func() // the user wants it to end; may be called at any time, and does not block
}

// Consent asks the user at the endpoint. Its methods may be called concurrently.
type Consent interface {
	// Desktop says what a question would find: signalling.DesktopNone ... It returns within seconds.
	Desktop(ctx context.Context) string
	// Ask asks and waits for the answer, at most Timeout; ctx ends when nobody wants to know any more.
	Ask(ctx context.Context, q Question) Answer
	// Notify shows that a session runs, until the function that it returns is called, once. It does not block.
	Notify(n Notice) (done func())
}

// Nobody is the Consent of a system on which nobody can be asked.
type Nobody struct{}

// Desktop implements Consent.
func (Nobody) Desktop(context.Context) string { return signalling.DesktopUnknown }

// Ask implements Consent.
func (Nobody) Ask(context.Context, Question) Answer { return signalling.ConsentNobody }

// Notify implements Consent.
func (Nobody) Notify(Notice) func() { return func() {} }

// defaultQuestion is the time for an answer if a grant does not say.
const defaultQuestion = 30 * time.Second

// question returns what is asked for a session.
func (s *session) question(mode string) Question {
	timeout := s.grant.Consent.Timeout
	if timeout == 0 {
		timeout = defaultQuestion
	}
	return Question{
		Session: s.grant.ID, Technician: s.grant.Technician, Why: s.grant.Why, Message: s.grant.Consent.Message, Kinds: s.kinds, Permissions: s.grant.Permissions,
		Timeout: min(max(timeout, signalling.MinConsent), signalling.MaxConsent), Allows: mode == signalling.ModeAskAllow,
	}
}

// ask asks the user if the grant or the endpoint wants that, and goes on with the answer.
func (s *session) ask() {
	mode := stricter(s.grant.Consent.Mode, s.manager.cfg.Consent)
	if mode == signalling.ModeNone {
		s.say(signalling.Consent{About: s.about(), State: signalling.ConsentNotNeeded})
		s.accept()
		return
	}
	q := s.question(mode)
	s.work.Go(func() {
		c := s.manager.o.Consent
		desktop := c.Desktop(s.life)
		s.say(signalling.Consent{About: s.about(), State: signalling.ConsentAsking, Seconds: int(q.Timeout / time.Second), Desktop: desktop})
		ctx, cancel := context.WithTimeout(s.life, q.Timeout)
		defer cancel()
		a := c.Ask(ctx, q)
		s.do(func() { s.answered(a, desktop, q.Allows) })
	})
}

// answered takes the user's answer; what it does not know denies.
func (s *session) answered(a Answer, desktop string, silenceAllows bool) {
	e := ending{deny: true}
	switch a {
	case signalling.ConsentAllowed:
	case signalling.ConsentTimedOut:
		e.reason, e.detail = consentTimeout, "nobody answered the question at the endpoint in time"
	case NotShown:
		a = signalling.ConsentTimedOut
		e.reason, e.detail = consentTimeout, "the question could not be shown to the user at the endpoint"
	case signalling.ConsentNobody:
		e.reason, e.detail = consentTimeout, "nobody is there who could be asked"
	default:
		a = signalling.ConsentDenied
		e.reason, e.detail = consentDenied, "the user at the endpoint said no"
	}
	s.say(signalling.Consent{About: s.about(), State: string(a), Desktop: desktop})
	if e.reason == "" || e.reason == consentTimeout && silenceAllows {
		s.accept()
		return
	}
	s.finish(e)
}
