package agent

import (
	"fmt"
	"slices"
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
		for chunk := range slices.Chunk(b, writeChunk) {
			if err := s.writeChunk(chunk); err != nil {
				s.end(fmt.Errorf("write: %w: %w", errConnection, err))
				return
			}
		}
	}
}

func (s *session) writeChunk(b []byte) error {
	conn := s.stream.Conn
	if err := conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := conn.Write(b)
	s.mu.Lock()
	s.silence.wrote = s.stream.In.Clock()
	s.mu.Unlock()
	return err
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
	if s.asked {
		s.asked, s.resume.waiting = false, 0
	}
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

// stanzaLocked sends a stanza and owns b from then on. On a session that has lost its connection it is kept for the resumption, if there may be one.
func (s *session) stanzaLocked(b []byte) {
	if s.closing && (s.resume.id == "" || !survives(s.cause)) {
		return
	}
	s.sent++
	s.resume.keep(b)
	s.putLocked(b)
	if s.resume.waiting++; s.resume.waiting >= askEvery {
		s.asked = true
	}
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

// ping asks the server for a sign of life, and for an acknowledgement if results wait for one.
func (s *session) ping(n int) {
	b := append([]byte("<iq type='get' id='alive-"+strconv.Itoa(n)+"' to='"), scan.AppendEscaped(nil, s.domain)...)
	b = append(b, "'><ping xmlns='"+nsPing+"'/></iq>"...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = s.asked || len(s.results.open) > 0
	s.stanzaLocked(b)
}
