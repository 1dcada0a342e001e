package feature

import (
	"context"
	"crypto/rand"
	"slices"
	"time"

	"signalbox/xmpp/scan"
)

const (
	maxAsked = 64              // queries that one client leaves unanswered
	askedFor = 2 * time.Minute // after which an answer comes too late
)

// asked is a query of the server's that a client has not answered yet.
type asked struct {
	id, from string
	at       time.Time
	take     func(context.Context, *scan.Stanza)
}

// Ask sends a client a query in the name of from, the server or an account here. take is called at most once, with the result or the error, by the client's stream, which
// waits with it; an answer that never comes, or comes after two minutes, calls nothing. False: the client has no connection, or leaves too much unanswered.
func Ask(c Client, from string, set bool, payload []byte, take func(context.Context, *scan.Stanza)) bool {
	id := rand.Text() // an answer is known by it, so it must not be guessed
	if !c.State().expect(asked{id, from, time.Now(), take}) {
		return false
	}
	b := []byte("<iq type='get'")
	if set {
		b = []byte("<iq type='set'")
	}
	b = append(scan.AppendAttribute(scan.AppendAttribute(scan.AppendAttribute(b, "id", id), "from", from), "to", c.JID()), '>')
	if c.Send(append(append(b, payload...), "</iq>"...)) {
		return true
	}
	c.State().answer(id, from)
	return false
}

// expect notes a query, unless too many wait.
func (s *State) expect(q asked) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetAskedLocked()
	if len(s.asked) >= maxAsked {
		return false
	}
	s.asked = append(s.asked, q)
	return true
}

func (s *State) forgetAskedLocked() {
	s.asked = slices.DeleteFunc(s.asked, func(q asked) bool { return time.Since(q.at) > askedFor })
}

// answer takes the query with this id off the list.
func (s *State) answer(id, from string) (q asked, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetAskedLocked()
	i := slices.IndexFunc(s.asked, func(q asked) bool { return q.id == id && q.from == from })
	if i < 0 {
		return asked{}, false
	}
	q = s.asked[i]
	s.asked = slices.Delete(s.asked, i, i+1)
	return q, true
}

// Answered takes an iq of type result or error that the client sent to this address; it is dropped if it answers nothing that the client was asked by it.
func (s *State) Answered(ctx context.Context, to string, el *scan.Stanza) {
	if q, ok := s.answer(string(el.ID()), to); ok {
		q.take(ctx, el)
	}
}
