package scan

import (
	"bytes"
	"unicode/utf8"
)

const (
	cdataStart = "<![CDATA["
	cdataEnd   = "]]>"
)

// content steps over text up to the next markup or reference. Between top-level elements it stands on a < at once.
func (s *Scanner) content(b []byte, ev *Event) (bool, *Error) {
	w := s.work
	i := w.pos
	for i < len(b) {
		c := b[i]
		if classes[c]&stopsText == 0 {
			i++
			continue
		}
		if c == '<' || c == '&' {
			s.settle(i)
			if c == '<' {
				return s.markup(b, ev)
			}
			w.mode, w.seek = inReference, i+1
			return true, nil
		}
		if c == '>' && b[i-1] == ']' && b[i-2] == ']' {
			return false, notWellFormed(i-2, "]]> in text")
		}
		n := legalAt(b[i:])
		if n == 0 {
			s.settle(i)
			return false, illegalUnlessCut(b, i)
		}
		i += n
	}
	s.settle(i)
	return false, nil
}

// settle notes that everything before i is done with.
func (s *Scanner) settle(i int) {
	s.examined += i - s.work.pos
	s.work.pos = i
}

// illegalUnlessCut returns nil when b ends within a character that may still turn out legal.
func illegalUnlessCut(b []byte, i int) *Error {
	if utf8.FullRune(b[i:]) {
		return notWellFormed(i, "invalid UTF-8 or illegal character")
	}
	return nil
}

// markup decides what the < at pos begins.
func (s *Scanner) markup(b []byte, ev *Event) (bool, *Error) {
	w := s.work
	i := w.pos + 1
	if i == len(b) {
		return false, nil
	}
	switch b[i] {
	case '!':
		return s.declarationOrCDATA(b)
	case '?':
		return s.processingInstruction(b)
	case '/':
		if n := len(w.open); n > 0 {
			// The usual end tag is recognised without seeking its end.
			name := w.open[n-1].name
			end := i + 1 + name.len()
			if end < len(b) && b[end] == '>' && bytes.Equal(b[i+1:end], name.of(b)) {
				s.settle(end + 1)
				s.closeElement(b, ev)
				return true, nil
			}
		}
	}
	w.mode, w.seek, w.quote = inTag, i, 0
	return true, nil
}

// declarationOrCDATA looks at <! and what follows.
func (s *Scanner) declarationOrCDATA(b []byte) (bool, *Error) {
	w := s.work
	t := b[w.pos:]
	if len(t) < 3 {
		return false, nil
	}
	switch c := t[2]; {
	case c == '-':
		if len(t) < 4 {
			return false, nil
		}
		if t[3] == '-' {
			return false, restricted(w.pos, "comment")
		}
	case 'A' <= c && c <= 'Z':
		return false, restricted(w.pos, "document type declaration")
	case c == '[' && len(w.open) > 0:
		n := min(len(t), len(cdataStart))
		if string(t[:n]) != cdataStart[:n] {
			break
		}
		if n < len(cdataStart) {
			return false, nil
		}
		s.settle(w.pos + n)
		w.mode = inCDATA
		return true, nil
	}
	return false, notWellFormed(w.pos, "malformed markup")
}

// processingInstruction looks at <? and what follows: an XML declaration, if the stream starts with it, or a mistake.
func (s *Scanner) processingInstruction(b []byte) (bool, *Error) {
	const name = "xml"
	w := s.work
	t := b[w.pos+2:]
	for i := range len(name) {
		if i == len(t) {
			return false, nil
		}
		if t[i]|0x20 != name[i] {
			return false, restricted(w.pos, "processing instruction")
		}
	}
	if len(t) == len(name) {
		return false, nil
	}
	if c := t[len(name)]; classes[c]&isName != 0 || c >= utf8.RuneSelf {
		return false, restricted(w.pos, "processing instruction")
	}
	if w.mode != inProlog || string(t[:len(name)]) != name {
		return false, notWellFormed(w.pos, "XML declaration that is not at the start of the stream")
	}
	w.mode, w.seek, w.quote = inDeclaration, w.pos+2+len(name), 0
	return true, nil
}

// cdata steps over a CDATA section, whose text may hold anything legal but its end.
func (s *Scanner) cdata(b []byte) (bool, *Error) {
	w := s.work
	i := w.pos
	for i < len(b) {
		c := b[i]
		if classes[c]&stopsText == 0 {
			i++
			continue
		}
		// The section starts behind a [, so both brackets lie within it.
		if c == '>' && b[i-1] == ']' && b[i-2] == ']' {
			s.settle(i + 1)
			w.mode = inContent
			return true, nil
		}
		n := legalAt(b[i:])
		if n == 0 {
			s.settle(i)
			return false, illegalUnlessCut(b, i)
		}
		i += n
	}
	s.settle(i)
	return false, nil
}
