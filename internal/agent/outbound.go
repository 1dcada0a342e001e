package agent

import (
	"fmt"
	"strconv"
	"time"

	"signalbox/xmpp/scan"
)

// write is the session's writer: it alone writes to the connection.
func (s *session) write() {
	for {
		select {
		case <-s.wake:
		case <-s.dead:
			return
		}
		b := s.take()
		if len(b) == 0 {
			continue
		}
		conn := s.stream.conn
		err := conn.SetWriteDeadline(time.Now().Add(writeTimeout))
		if err == nil {
			_, err = conn.Write(b)
		}
		if err != nil {
			s.end(fmt.Errorf("write: %w", err))
			return
		}
	}
}

// take returns what waits, with the request for an acknowledgement if a result is among it.
func (s *session) take() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.out
	s.out = nil
	if s.asked && !s.closing {
		b = append(b, "<r xmlns='"+nsManagement+"'/>"...)
	}
	s.asked = false
	return b
}

// putLocked appends to what waits for the writer. It never blocks; a server that takes nothing ends the session.
func (s *session) putLocked(b []byte) {
	if s.closing {
		return
	}
	if len(s.out)+len(b) > maxOutbound {
		s.endLocked(errStuck)
		return
	}
	s.out = append(s.out, b...)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// nonza sends what is no stanza and does not count.
func (s *session) nonza(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.putLocked([]byte(text))
}

// stanza sends a stanza.
func (s *session) stanza(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stanzaLocked(b)
}

func (s *session) stanzaLocked(b []byte) {
	if s.closing {
		return
	}
	s.sent++
	s.putLocked(b)
}

// close sends the closing tag; the server answers with its own.
func (s *session) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return
	}
	if s.asked { // take adds nothing behind a closing tag
		s.putLocked([]byte("<r xmlns='" + nsManagement + "'/>"))
	}
	s.putLocked([]byte("</stream:stream>"))
	s.closing = true
}

// receipt says that a push is on the agent's disk (XEP-0184).
func (s *session) receipt(message string) {
	b := append([]byte("<message to='"), scan.AppendEscaped(nil, s.domain)...)
	b = append(b, "'><received xmlns='"+nsReceipts+"' id='"...)
	b = scan.AppendEscaped(b, message)
	s.stanza(append(b, "'/></message>"...))
}

// result sends the result of a push and asks for its acknowledgement. Unless again is set, once is enough for a session.
func (s *session) result(push string, res Result, again bool) {
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
		b = appendJSONText(b, res.JSON)
		b = append(b, "</json>"...)
	}
	b = append(b, "</result></message>"...)

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || s.results[push] && !again {
		return
	}
	s.results[push], s.asked = true, true
	s.stanzaLocked(b)
	s.open = append(s.open, openResult{s.sent, push})
}

// ping asks the server for a sign of life, and for an acknowledgement if results wait for one.
func (s *session) ping(n int) {
	b := append([]byte("<iq type='get' id='alive-"+strconv.Itoa(n)+"' to='"), scan.AppendEscaped(nil, s.domain)...)
	b = append(b, "'><ping xmlns='"+nsPing+"'/></iq>"...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = s.asked || len(s.open) > 0
	s.stanzaLocked(b)
}

// ack takes the server's count of handled stanzas: results up to there have arrived for good. Counts wrap at 2^32.
func (s *session) ack(st *scan.Stanza) error {
	text, _ := st.Element().Attr("h")
	h64, err := strconv.ParseUint(string(text), 10, 32)
	if err != nil {
		return fmt.Errorf("%w: unreadable count", errBadAck)
	}
	for _, push := range s.covered(uint32(h64)) {
		if push == "" {
			return errBadAck
		}
		if err := s.agent.journal.Cover(push, time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// covered returns the pushes whose results are among the first h stanzas, or one empty text if h is impossible.
func (s *session) covered(h uint32) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h-s.acked > s.sent-s.acked {
		return []string{""}
	}
	s.acked = h
	var out []string
	for len(s.open) > 0 && int32(h-s.open[0].seq) >= 0 {
		out = append(out, s.open[0].push)
		s.open = s.open[1:]
	}
	return out
}
