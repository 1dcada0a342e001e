package xmpp

import (
	"sync"

	"signalbox/internal/endpoint"
	"signalbox/internal/signalling"
	"signalbox/internal/telemetry"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

// maxUnseated bounds the messages that wait for a technician who has logged in and not bound a resource yet.
const maxUnseated = 64

// seat is the place of a technician in a remote session, on a stream of its own.
type seat struct {
	// set at construction
	st   *stream
	bare string     // the session's id at our domain
	side Technician // before anybody else sees the seat

	mu      sync.Mutex
	jid     string   // full; it does not change once the stream is settled. Empty: nothing is bound yet
	waiting [][]byte // payloads, until then
	over    bool
}

// bind tells the technician what they are called, and what waited for them; false: it is over.
func (t *seat) bind(full string, reply []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return false
	}
	t.jid = full
	t.st.srv.metrics.seats.Inc()
	t.st.conn.Control(reply)
	for _, payload := range t.waiting {
		t.st.conn.Control(feature.SessionRequest(t.st.srv.domain, t.jid, payload))
	}
	t.waiting = nil
	return true
}

func (t *seat) isBound() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.jid != ""
}

// send puts a message on the way to the technician.
func (t *seat) send(m signalling.Message) bool {
	err := signalling.Allowed(m, signalling.ToTechnician)
	var payload []byte
	if err == nil {
		payload, err = signalling.AppendXML(nil, m)
	}
	if err != nil {
		t.st.srv.log.Error("message for a technician could not be written", telemetry.Cause(err))
		return false
	}
	_, notice := m.(signalling.Restarted)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.over:
		return false
	case t.jid != "" && notice:
		return t.st.conn.Send(feature.SessionNotice(t.st.srv.domain, t.jid, payload), nil, nil) == nil
	case t.jid != "":
		return t.st.conn.Send(feature.SessionRequest(t.st.srv.domain, t.jid, payload), nil, nil) == nil
	case notice:
		return true // who is not there yet has lost nothing
	case len(t.waiting) == maxUnseated:
		return false
	}
	t.waiting = append(t.waiting, payload)
	return true
}

// take handles a request of the technician's.
func (t *seat) take(el *scan.Stanza) feature.Answer {
	set, to := string(el.Type()) == "set", string(el.To())
	switch {
	case el.Kind != scan.IQ, to != "" && to != t.st.srv.domain:
		return feature.Unavailable()
	case !set && string(el.Type()) != "get", el.ID() == nil, el.Children != 1:
		return badRequest
	case !set && el.ChildIs("urn:xmpp:ping", "ping"):
		return feature.Answer{}
	case !set || string(el.ChildNamespace()) != signalling.Namespace:
		return feature.Unavailable()
	}
	var patience feature.Patience
	defer patience.Stop()
	var m signalling.Message
	var err error
	for payload := range el.Element().Children() {
		m, err = signalling.ParseXML(payload, signalling.FromTechnician)
	}
	if err == nil && m.SessionID()+"@"+t.st.srv.domain != t.bare {
		err = signalling.ErrNotParty
	}
	if err != nil {
		t.side.Refused(signalling.CodeOf(err))
	} else {
		err = t.side.Take(&patience, m)
	}
	return feature.SessionAnswer(err, t.st.srv.log)
}

// closed ends the stream of a technician whose side is no longer theirs.
func (t *seat) closed(reason string) {
	if !t.finish() {
		return
	}
	switch reason {
	case letGoReplaced:
		t.st.end(endpoint.ReasonReplaced)
	case letGoSlow:
		t.st.end(endpoint.ReasonSlowReader)
	default:
		t.st.end(endpoint.ReasonSessionOver)
	}
}

// leave says that the stream is over.
func (t *seat) leave() {
	if t.finish() {
		t.side.Detach()
	}
}

// finish notes that it is over; false: it was already.
func (t *seat) finish() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return false
	}
	t.over, t.waiting = true, nil
	if t.jid != "" {
		t.st.srv.metrics.seats.Dec()
	}
	return true
}
