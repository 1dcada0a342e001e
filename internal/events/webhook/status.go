package webhook

import (
	"context"
	"fmt"
	"time"
)

// slow is how old the oldest event may be that waits for a receiver which takes events, before that is told.
const slow = 15 * time.Second

// Backlog is the code of the fault that a receiver takes events more slowly than they come.
const Backlog = "backlog"

// Status is how a receiver is doing.
type Status struct {
	State
	Oldest time.Time // when the oldest event happened that waits; zero: none does
	Aside  int       // events set aside that are tried again
}

// publish shows the sender's status to others.
func (s *sender) publish() {
	st := Status{State: s.state, Aside: s.asides}
	if len(s.queue) > 0 {
		st.Oldest = s.queue[0].At
	}
	s.status.Store(&st)
}

// Info is a webhook with how it is doing.
type Info struct {
	Webhook
	Pending int64     // events that wait, at most: those that it does not ask for count
	Oldest  time.Time // see Status
	Aside   int
}

// Trouble is why a receiver does not get events as it should.
type Trouble struct {
	Webhook  string // its id
	Receiver string // host of its URL
	Fault
	Since   time.Time // of the first failure, or of the oldest event that waits
	Next    time.Time // when the next attempt is due; zero: there is none until somebody acts
	Pending int64     // events that wait, at most
}

// Sentence tells the trouble to people.
func (t Trouble) Sentence() string {
	next := "nothing is sent until it is enabled again"
	if !t.Next.IsZero() {
		next = "the next attempt is at " + t.Next.UTC().Format(time.RFC3339)
	}
	if t.Code == Backlog {
		return t.Detail + " " + t.Action
	}
	return fmt.Sprintf("%s Since %s; up to %d events wait, and %s. %s", t.Detail, t.Since.UTC().Format(time.RFC3339), t.Pending, next, t.Action)
}

// info adds to a stored webhook what its sender knows.
func (s *Service) info(w Webhook, newest int64) Info {
	in := Info{Webhook: w}
	if st := s.statusOf(w.ID); st != nil && w.Enabled {
		in.State, in.Oldest, in.Aside = st.State, st.Oldest, st.Aside
	}
	in.Pending = max(newest-in.Cursor, 0) + int64(in.Aside)
	return in
}

// Trouble returns why the receiver does not get events as it should; false: it gets them.
func (in Info) Trouble(now time.Time) (Trouble, bool) {
	t := Trouble{Webhook: in.ID, Receiver: hostOf(in.URL), Fault: in.Fault, Since: in.Since, Next: in.Next, Pending: in.Pending}
	switch {
	case in.Disabled != "":
		t.Detail, t.Next = in.Disabled, time.Time{}
		return t, true
	case in.Enabled && in.Failures > 0:
		return t, true
	case in.Enabled && !in.Oldest.IsZero() && now.Sub(in.Oldest) > slow:
		t.Fault = Fault{Backlog, fmt.Sprintf("Up to %d events wait for %s, the oldest since %s.", in.Pending, t.Receiver, in.Oldest.UTC().Format(time.RFC3339)),
			"It takes them more slowly than they come: have it answer first and work afterwards, or ask for fewer types."}
		t.Since = in.Oldest
		return t, true
	}
	return Trouble{}, false
}

// AsideOf returns how many events of an endpoint a webhook has set aside and tries again.
func (s *Service) AsideOf(ctx context.Context, id, endpoint string) (n int, err error) {
	all, err := s.deps.Store.WebhookAside(ctx, id)
	for _, a := range all {
		if a.Endpoint == endpoint && !a.GivenUp {
			n++
		}
	}
	return n, err
}

// Troubles returns what is wrong with receivers at the moment; none: events get where they should.
func (s *Service) Troubles(ctx context.Context) ([]Trouble, error) {
	all, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	var list []Trouble
	for _, in := range all {
		if t, ok := in.Trouble(time.Now()); ok {
			list = append(list, t)
		}
	}
	return list, nil
}
