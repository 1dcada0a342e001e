package agent

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"signalbox/xmpp/scan"
)

// maxOpenBytes is how much of results may be on the way to the server and not acknowledged. More would hold up what the session needs to
// stay alive on a slow line; a single result may be longer.
const maxOpenBytes = 64 << 10

// results are those of a session's results that the server has not for good. The session's mutex guards them.
type results struct {
	due  []string     // pushes whose results are still to be sent
	open []openResult // on the way, oldest first
	size int          // bytes of those
}

// openResult is a result on the way: the server has it once it has handled this many stanzas.
type openResult struct {
	seq  uint32
	push string
	size int
}

// has reports whether the result of a push is to be sent or on the way.
func (r *results) has(push string) bool {
	return slices.Contains(r.due, push) || slices.ContainsFunc(r.open, func(o openResult) bool { return o.push == push })
}

// result has the result of a push sent. Unless again is set, nothing happens if it is on the way already.
func (s *session) result(push string, again bool) error {
	s.mu.Lock()
	if again || !s.results.has(push) {
		s.results.due = append(s.results.due, push)
	}
	s.mu.Unlock()
	return s.pump()
}

// pump sends results until enough are on the way. The results themselves are read from the journal one by one.
func (s *session) pump() error {
	for {
		push, ok := s.nextDue()
		if !ok {
			return nil
		}
		res, ok, err := s.agent.journal.Result(push)
		if err != nil {
			return err
		}
		if ok {
			s.sendResult(push, s.encodeResult(push, res))
		}
	}
}

func (s *session) nextDue() (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &s.results
	if s.closing || len(r.due) == 0 || r.size >= maxOpenBytes {
		return "", false
	}
	push := r.due[0]
	r.due = r.due[1:]
	return push, true
}

// sendResult sends an encoded result and has an acknowledgement asked for behind it.
func (s *session) sendResult(push string, stanza []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return
	}
	s.asked = true
	s.stanzaLocked(stanza)
	s.results.open = append(s.results.open, openResult{s.sent, push, len(stanza)})
	s.results.size += len(stanza)
}

// encodeResult returns the message of SPEC section 6.
func (s *session) encodeResult(push string, res Result) []byte {
	status := "failed"
	if res.OK {
		status = "ok"
	}
	b := append([]byte("<message to='"), scan.AppendEscaped(nil, s.domain)...)
	b = append(b, "'><result xmlns='"+nsPush+"' id='"...)
	b = scan.AppendEscaped(b, push)
	b = append(b, "' status='"+status+"'>"...)
	if res.JSON != nil {
		b = append(b, "<json xmlns='"+nsJSON+"'>"...)
		b = scan.AppendText(b, res.JSON)
		b = append(b, "</json>"...)
	}
	return append(b, "</result></message>"...)
}

// ack takes the server's count of handled stanzas: results up to there have arrived for good, and make room for others.
func (s *session) ack(st *scan.Stanza) error {
	text, _ := st.Element().Attr("h")
	h, err := strconv.ParseUint(string(text), 10, 32)
	if err != nil {
		return fmt.Errorf("%w: unreadable count", errBadAck)
	}
	return s.settle(uint32(h))
}

// settle takes that the server has handled h stanzas.
func (s *session) settle(h uint32) error {
	pushes, ok := s.covered(h)
	if !ok {
		return errBadAck
	}
	for _, push := range pushes {
		if err := s.agent.journal.Cover(push, time.Now()); err != nil {
			return err
		}
	}
	return s.pump()
}

// covered returns the pushes whose results are among the first h stanzas; ok is false if h is impossible. Counts wrap at 2^32.
func (s *session) covered(h uint32) (pushes []string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h-s.acked > s.sent-s.acked {
		return nil, false
	}
	s.resume.drop(int(h - s.acked))
	s.acked = h
	r := &s.results
	for len(r.open) > 0 && int32(h-r.open[0].seq) >= 0 {
		pushes = append(pushes, r.open[0].push)
		r.size -= r.open[0].size
		r.open = r.open[1:]
	}
	return pushes, true
}
