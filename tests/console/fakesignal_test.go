package console

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// session is one session at the fake.
type session struct {
	fake                    *fake
	id, endpoint, transport string
	token, reattach         string
	remote                  *remote

	mu            sync.Mutex
	conn          *websocket.Conn
	attached      int     // how often
	relays        int     // channels over the relay
	newest        float64 // number of a connection
	state, reason string
	consent       string
	last          object // path
}

// ticket is for one side of a relayed channel.
type ticket struct {
	session *session
	name    string
}

func (f *fake) open(endpoint, transport string) *session {
	id := "ses_" + strings.ToLower(strings.NewReplacer("I", "0", "L", "1", "O", "2", "U", "3").Replace(secret()[:13]))
	s := &session{fake: f, id: id, endpoint: endpoint, transport: transport, token: secret(), state: "requested", remote: newRemote(f)}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sessions[id] = s
	if f.early != "" {
		s.state, s.reason = "ended", f.early
	}
	return s
}

// The plans: what becomes of a session once its technician is there.
func accepted(s *session) {
	s.set("connecting", "not_needed")
	s.send(object{"type": "accept", "capabilities": []string{"terminal", "files", "processes", "system"}})
}

func asked(s *session) {
	s.set("waiting_for_consent", "asking")
	s.send(object{"type": "consent", "state": "asking", "seconds": 30, "desktop": "active"})
}

func (s *session) show() object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return object{
		"id": s.id, "endpoint": s.endpoint, "technician": object{"id": "tec_1", "name": "ada"}, "state": s.state, "reason": s.reason, "why": "", "kinds": kinds,
		"permissions": []string{},
		"transport":   s.transport, "rung": "relay", "bytes_up": 1000, "bytes_down": 2000, "created_at": at(time.Minute), "expires_at": at(-time.Hour), "mine": true,
	}
}

var kinds = []string{"terminal", "files", "processes"}

// status is what State tells.
func (s *session) status() object {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := object{
		"type": "state", "id": s.id, "state": s.state, "endpoint": s.endpoint, "technician": "Ada L.", "kinds": kinds, "permissions": []string{}, "transport": s.transport,
		"expires": at(-time.Hour), "watchers": []string{"Ada L.", "Bob"},
	}
	if s.consent != "" {
		m["consent"] = s.consent
	}
	if s.reason != "" {
		m["reason"] = s.reason
	}
	return m
}

func (s *session) set(state, consent string) {
	s.mu.Lock()
	s.state, s.consent = state, consent
	s.mu.Unlock()
	s.send(s.status())
}

// end ends the session for the technician.
func (s *session) end(reason string) {
	s.mu.Lock()
	s.state, s.reason = "ended", reason
	s.mu.Unlock()
	s.send(object{"type": "end", "reason": reason})
	s.drop(4410)
}

// drop closes the technician's signalling connection.
func (s *session) drop(code websocket.StatusCode) {
	s.mu.Lock()
	c := s.conn
	s.mu.Unlock()
	if c != nil {
		_ = c.Close(code, "")
	}
}

func (s *session) send(m object) {
	m["id"] = s.id
	s.mu.Lock()
	c := s.conn
	s.mu.Unlock()
	if c != nil {
		_ = wsjson.Write(context.Background(), c, m)
	}
}

func (f *fake) serveSignal(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"signalbox-session"}})
	if err != nil {
		return
	}
	c.SetReadLimit(96 << 10)
	var m object
	if wsjson.Read(r.Context(), c, &m) != nil {
		return
	}
	s, first := f.attach(m, c)
	if s == nil {
		_ = c.Close(4401, "token_refused")
		return
	}
	if s.over() {
		_ = c.Close(4410, "session_ended")
		return
	}
	state := s.status()
	s.mu.Lock()
	state["reattach"] = s.reattach
	s.mu.Unlock()
	if f.servers != nil {
		state["ice_servers"] = f.servers
	}
	s.send(state)
	if first {
		go f.plan(s)
	}
	for {
		var m object
		if wsjson.Read(r.Context(), c, &m) != nil {
			return
		}
		s.take(m)
	}
}

// attach takes what the technician shows; nil: it is worth nothing.
func (f *fake) attach(m object, c *websocket.Conn) (s *session, first bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id, _ := m["id"].(string)
	s = f.sessions[id]
	if s == nil {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	token, _ := m["token"].(string)
	reattach, _ := m["reattach"].(string)
	if (token == "" || token != s.token) && (reattach == "" || reattach != s.reattach) {
		return nil, false
	}
	s.token, s.reattach, s.conn = "", secret(), c
	s.attached++
	return s, s.attached == 1
}

func (s *session) take(m object) {
	switch m["type"] {
	case "relay":
		name, number := m["channel"].(string), m["number"]
		s.mu.Lock()
		s.relays++
		s.mu.Unlock()
		text := secret()
		s.fake.mu.Lock()
		s.fake.tickets[text] = &ticket{s, name}
		s.fake.mu.Unlock()
		s.send(object{"type": "relay", "channel": name, "number": number, "url": s.fake.socketURL("/relay/" + text)})
	case "sdp", "candidate":
		s.mu.Lock()
		s.newest = max(s.newest, m["peer"].(float64))
		s.mu.Unlock()
		s.fake.mu.Lock()
		c := s.fake.answerer
		s.fake.mu.Unlock()
		if c != nil {
			_ = wsjson.Write(context.Background(), c, m)
		}
	case "path":
		s.mu.Lock()
		s.last = m
		s.mu.Unlock()
	case "end":
		s.mu.Lock()
		s.state, s.reason = "ended", "technician_ended"
		s.mu.Unlock()
	}
}

// serveAnswerer is the connection of the page that answers in place of an endpoint.
func (f *fake) serveAnswerer(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	c.SetReadLimit(96 << 10)
	f.mu.Lock()
	f.answerer = c
	f.mu.Unlock()
	for {
		var m object
		if wsjson.Read(r.Context(), c, &m) != nil {
			return
		}
		id, _ := m["id"].(string)
		f.mu.Lock()
		s := f.sessions[id]
		f.mu.Unlock()
		if s != nil {
			s.send(m)
		}
	}
}

// attaches counts how often the technician attached.
func (s *session) attaches() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attached
}

func (s *session) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == "ended"
}

// renew gives the session another token.
func (s *session) renew() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = secret()
	return s.token
}

// relayed counts the channels that were asked for over the relay.
func (s *session) relayed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.relays
}

// peer is the number of the newest connection that the technician offered.
func (s *session) peer() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest
}

// path is the last that the technician reported.
func (s *session) path() object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}
