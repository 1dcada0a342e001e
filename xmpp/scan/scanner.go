// Package scan turns the bytes of an XMPP stream into stanzas and back: a strict, resumable scanner without I/O that
// refuses whatever could make a conforming receiver of the same bytes close its stream.
package scan

import "bytes"

// Scanner splits the bytes of one stream into stream headers, stanzas, keepalives and the end of the stream (RFC 6120).
// It refuses what a namespace-aware expat refuses and what RFC 6120 section 11.1 forbids. Between elements it holds no
// memory beyond itself and what an unusual stream header declared. The zero value expects a stream header and applies
// DefaultLimits. A Scanner must not be copied or used concurrently.
type Scanner struct {
	limits Limits
	scope  *scope
	work   *scratch // nil between elements
	err    *Error
	// examined counts the bytes that were looked at; it grows linearly with the input, however that is cut.
	examined int
	phase    phase
}

type phase uint8

const (
	beforeHeader phase = iota
	insideStream
	afterStream
)

var byteOrderMark = []byte("\xEF\xBB\xBF")

// New returns a scanner that expects a stream header.
func New(limits Limits) Scanner {
	return Scanner{limits: limits.orDefault(), scope: emptyScope}
}

// SetLimits replaces the limits, for example after authentication. They hold at once, also for an element that has begun.
func (s *Scanner) SetLimits(limits Limits) { s.limits = limits.orDefault() }

// Reset makes the scanner expect a fresh stream header (RFC 6120 section 4.3.3), whatever happened before. The bytes that
// Next has not consumed stay with the caller and belong to the new stream. A scanner that is dropped in the middle of an
// element needs no Reset; with one its scratch memory is reused.
func (s *Scanner) Reset() {
	if s.work != nil {
		s.leave()
	}
	s.limits = s.limits.orDefault()
	s.scope, s.err, s.phase = emptyScope, nil, beforeHeader
}

// Next looks for the next item at the start of buf, which begins with the first byte that is not consumed yet, and
// returns how many bytes the item has. After NeedMore, with n = 0, the caller passes the same bytes again with more
// behind them, at the same or another place in memory; bytes already looked at are not looked at again. The event borrows
// buf. An error is always an *Error and final: every later call returns it.
func (s *Scanner) Next(buf []byte) (ev Event, n int, err error) {
	if s.scope == nil {
		*s = New(s.limits)
	}
	if s.err == nil {
		if n, s.err = s.next(buf, &ev); s.err == nil {
			return ev, n, nil
		}
		if s.work != nil {
			s.leave()
		}
	}
	return Event{}, 0, s.err
}

func (s *Scanner) next(buf []byte, ev *Event) (int, *Error) {
	if len(buf) == 0 {
		return 0, nil
	}
	if s.work == nil {
		n := skipSpace(buf, 0)
		switch {
		case s.phase == beforeHeader:
			s.enter(inProlog)
		case n > 0:
			ev.Kind = Whitespace
			s.examined += n
			return n, nil
		case s.phase == afterStream:
			return 0, notWellFormed(0, "data after the end of the stream")
		case buf[0] != '<':
			return 0, notWellFormed(0, "text outside of a top-level element")
		default:
			s.enter(inContent)
		}
	}
	return s.item(buf, ev)
}

// item goes on with the element or stream header that has begun.
func (s *Scanner) item(buf []byte, ev *Event) (int, *Error) {
	b := buf[:min(len(buf), s.limits.Bytes)]
	for {
		progress, err := false, (*Error)(nil)
		// Lowered limits, or fewer bytes than the caller has shown before, leave nothing to step on.
		if len(b) >= max(s.work.pos, s.work.seek) {
			progress, err = s.step(b, ev)
		}
		switch {
		case err != nil:
			return 0, err
		case ev.Kind != NeedMore:
			n := s.work.pos
			s.leave()
			return n, nil
		case progress:
			continue
		case len(buf) > len(b):
			return 0, overLimit(len(b), "element or stream header too long")
		default:
			return 0, nil
		}
	}
}

// step reads one token, or as much of it as there is. It returns false when it needs more bytes, and sets ev when the item
// is complete.
func (s *Scanner) step(b []byte, ev *Event) (bool, *Error) {
	switch s.work.mode {
	case inContent:
		return s.content(b, ev)
	case inTag, inDeclaration:
		end := s.seekTagEnd(b)
		if end == 0 {
			return false, nil
		}
		return true, s.tag(b, end, ev)
	case inReference:
		return s.reference(b)
	case inCDATA:
		return s.cdata(b)
	case inProlog:
		return s.prolog(b)
	default:
		return s.misc(b)
	}
}

// tag dispatches the complete token b[pos:end].
func (s *Scanner) tag(b []byte, end int, ev *Event) *Error {
	w := s.work
	s.examined += end - w.pos
	switch {
	case w.mode == inDeclaration:
		return s.declaration(b, end)
	case s.phase == beforeHeader:
		return s.header(b, end, ev)
	case b[w.pos+1] == '/':
		return s.endTag(b, end, ev)
	default:
		return s.startTag(b, end, ev)
	}
}

// seekTagEnd looks for the end of the tag or declaration at pos and returns the offset behind it, or 0 when it is not there
// yet. A < outside of quotes and a quote that opens no value end the search as well: reading the token then finds the
// mistake.
func (s *Scanner) seekTagEnd(b []byte) int {
	w := s.work
	i := w.seek
	for i < len(b) {
		if w.quote != 0 {
			j := bytes.IndexByte(b[i:], w.quote)
			if j < 0 {
				i = len(b)
				break
			}
			i += j + 1
			w.quote = 0
			continue
		}
		c := b[i]
		i++
		if classes[c]&stopsTag == 0 {
			continue
		}
		if c == '<' || c == '>' || !followsEqual(b[w.pos:i-1]) {
			s.examined += i - w.seek
			return i
		}
		w.quote = c
	}
	s.examined += i - w.seek
	w.seek = i
	return 0
}

// followsEqual reports whether t ends in an equals sign and perhaps white space.
func followsEqual(t []byte) bool {
	i := len(t) - 1
	for i >= 0 && classes[t[i]]&isSpace != 0 {
		i--
	}
	return i >= 0 && t[i] == '='
}
