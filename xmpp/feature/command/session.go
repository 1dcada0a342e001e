package command

import (
	"crypto/rand"
	"sync"
	"time"

	"signalbox/xmpp/feature"
)

// Bounds of sessions that wait for a form.
const (
	sessionLife    = 10 * time.Minute // after which a form that comes back is too late
	maxOfAccount   = 16               // more push out the oldest of the same account
	maxSessions    = 1000             // in all; more are refused
	rememberedLate = 10 * time.Minute // how long it is known that a session was there and expired
)

// session is a command that waits for its form. It belongs to one session of one account: who knows its id and is somebody else has nothing.
type session struct {
	client feature.Client
	node   string
	until  time.Time
}

// sessions are those that wait, by id.
type sessions struct {
	mu   sync.Mutex
	open map[string]*session
}

// newID returns 130 random bits as text.
func newID() string { return rand.Text() }

// begin opens a session; false: there are too many.
func (s *sessions) begin(client feature.Client, node string, now time.Time) (id string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.makeRoomLocked(client, now)
	if len(s.open) >= maxSessions {
		return "", false
	}
	id = newID()
	s.open[id] = &session{client: client, node: node, until: now.Add(sessionLife)}
	return id, true
}

// makeRoomLocked forgets sessions that expired long ago, and the oldest of the account if it has as many as it may.
func (s *sessions) makeRoomLocked(client feature.Client, now time.Time) {
	var oldest string
	own := 0
	for id, o := range s.open {
		if now.Sub(o.until) > rememberedLate {
			delete(s.open, id)
			continue
		}
		if o.client.Key() != client.Key() {
			continue
		}
		own++
		if oldest == "" || o.until.Before(s.open[oldest].until) {
			oldest = id
		}
	}
	if own >= maxOfAccount {
		delete(s.open, oldest)
	}
}

// check says why the client cannot go on with a session; empty: it can.
func (s *sessions) check(id string, client feature.Client, node string, now time.Time) trouble {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.open[id]
	switch {
	case o == nil || o.client != client || o.node != node:
		return badSession
	case now.After(o.until):
		delete(s.open, id)
		return sessionExpired
	}
	return ""
}

// end forgets a session; false: it was not there.
func (s *sessions) end(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.open[id]
	delete(s.open, id)
	return ok
}
