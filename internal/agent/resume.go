package agent

import (
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"mellium.im/xmpp/jid"

	"signalbox/internal/agent/login"
	"signalbox/internal/agent/path"
	"signalbox/xmpp/scan"
)

// Bounds of what a session keeps to be sent again. One that exceeds them goes on and cannot be resumed: the journal has all that matters.
const (
	maxUnacked      = 1 << 20 // bytes
	maxUnackedCount = 4096
	askEvery        = 32               // stanzas, behind which an acknowledgement is asked for
	maxDetached     = 10 * time.Minute // after the connection was lost; the server may say less
)

// resumption is what a session that can be resumed must remember (XEP-0198 section 5). The session's mutex guards it.
type resumption struct {
	id       string        // that the server gave; empty: the session cannot be resumed
	max      time.Duration // how long the server keeps it
	location string        // where it wants the agent back; empty: it does not say
	unacked  [][]byte      // stanzas that the server has not handled for certain, oldest first
	size     int           // bytes of those
	waiting  int           // stanzas since an acknowledgement was asked for
}

// parked is a session without a connection. The goroutine that connects owns it.
type parked struct {
	resumption
	jid         jid.JID
	until       time.Time
	handled     uint32
	sent, acked uint32
	results     results
	held        []inbound
}

// allow takes the server's <enabled/>.
func (r *resumption) allow(el scan.Element) {
	if resume, _ := el.Attr("resume"); string(resume) != "true" && string(resume) != "1" {
		return
	}
	id, _ := el.Attr("id")
	r.id = string(id)
	r.max = maxDetached
	if text, ok := el.Attr("max"); ok {
		if n, err := strconv.ParseUint(string(text), 10, 32); err == nil {
			r.max = min(time.Duration(n)*time.Second, maxDetached)
		}
	}
	if text, ok := el.Attr("location"); ok {
		r.location = withPort(string(text))
	}
}

// withPort returns host:port for what the server calls a host, with or without a port; nothing for what is no address.
func withPort(host string) string {
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(strings.Trim(host, "[]"), path.DirectPort)
	}
	if !path.ValidAddress(host) {
		return ""
	}
	return host
}

// keep remembers a stanza until it is acknowledged.
func (r *resumption) keep(b []byte) {
	if r.id == "" {
		return
	}
	r.unacked, r.size = append(r.unacked, b), r.size+len(b)
	if r.size > maxUnacked || len(r.unacked) > maxUnackedCount {
		*r = resumption{}
	}
}

// drop forgets the n oldest stanzas.
func (r *resumption) drop(n int) {
	n = min(n, len(r.unacked))
	for _, b := range r.unacked[:n] {
		r.size -= len(b)
	}
	r.unacked = slices.Clone(r.unacked[n:])
}

// survives reports whether a session that ended so may be resumed: its connection was lost, or the server stops and may keep it.
func survives(cause error) bool {
	var se *login.StreamError
	if errors.As(cause, &se) {
		return se.Condition == "system-shutdown" || se.Condition == "see-other-host" || se.Condition == "connection-timeout"
	}
	return errors.Is(cause, errConnection) || errors.Is(cause, errSilent)
}

// park takes what a session that has ended needs to be resumed; nil if it cannot be.
func (s *session) park(now time.Time) *parked {
	s.intake.Lock()
	defer s.intake.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.enabled || s.resume.id == "" || !survives(s.cause) {
		return nil
	}
	p := &parked{resumption: s.resume, jid: s.stream.JID, until: now.Add(s.resume.max), handled: s.handled, sent: s.sent, acked: s.acked, results: s.results, held: s.held}
	s.resume, s.results, s.held = resumption{}, results{}, nil
	return p
}

// adopt goes on with a parked session on a new stream: what the server has not handled is sent again before anything else.
func (s *session) adopt(p *parked) error {
	s.intake.Lock()
	s.held = p.held
	s.intake.Unlock()
	s.mu.Lock()
	s.enabled, s.handled, s.sent, s.acked, s.results, s.resume = true, p.handled, p.sent, p.acked, p.results, p.resumption
	s.mu.Unlock()
	if err := s.settle(s.stream.Handled); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.resume.unacked {
		s.putLocked(b)
	}
	s.asked = len(s.resume.unacked) > 0
	return nil
}

// resumable returns what the server is asked for, or nil.
func (a *Agent) resumable(now time.Time) *login.Resumption {
	if a.parked == nil || now.After(a.parked.until) {
		a.parked = nil
		return nil
	}
	return &login.Resumption{ID: a.parked.id, Handled: a.parked.handled, JID: a.parked.jid}
}
