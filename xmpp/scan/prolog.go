package scan

import "bytes"

// prolog looks at the very start of a stream: an optional byte-order mark and an optional XML declaration.
func (s *Scanner) prolog(b []byte) (bool, *Error) {
	w := s.work
	i := 0
	if b[0] == byteOrderMark[0] {
		n := min(len(b), len(byteOrderMark))
		if !bytes.Equal(b[:n], byteOrderMark[:n]) {
			return false, notWellFormed(0, "text before the stream header")
		}
		i = len(byteOrderMark)
	}
	if i >= len(b) {
		return false, nil
	}
	s.settle(i)
	if b[i] == '<' {
		if i+1 == len(b) {
			return false, nil
		}
		if b[i+1] == '?' {
			return s.processingInstruction(b)
		}
	}
	w.mode = inMisc
	return true, nil
}

// misc skips white space up to the root element.
func (s *Scanner) misc(b []byte) (bool, *Error) {
	w := s.work
	s.settle(skipSpace(b, w.pos))
	i := w.pos
	switch {
	case i == len(b):
		return false, nil
	case b[i] != '<':
		return false, notWellFormed(i, "text before the stream header")
	case i+1 == len(b):
		return false, nil
	}
	switch b[i+1] {
	case '!':
		return s.declarationOrCDATA(b)
	case '?':
		return s.processingInstruction(b)
	}
	w.mode, w.seek, w.quote = inTag, i+1, 0
	return true, nil
}

const malformedDeclaration = "malformed XML declaration"

// declaration reads the XML declaration b[pos:end] (XML 1.0 section 2.8).
func (s *Scanner) declaration(b []byte, end int) *Error {
	w := s.work
	start := w.pos
	t := b[start:end]
	if !bytes.HasSuffix(t, []byte("?>")) {
		return notWellFormed(start, malformedDeclaration)
	}
	version, t, ok := pseudoAttribute(t[len("<?xml"):len(t)-len("?>")], "version")
	if !ok || string(version) != "1.0" {
		return notWellFormed(start, "the XML version is not 1.0")
	}
	if encoding, rest, ok := pseudoAttribute(t, "encoding"); ok {
		t = rest
		if !isEncodingName(encoding) {
			return notWellFormed(start, malformedDeclaration)
		}
		if !bytes.EqualFold(encoding, []byte("utf-8")) {
			return &Error{UnsupportedEncoding, "the encoding is not UTF-8", start}
		}
	}
	if standalone, rest, ok := pseudoAttribute(t, "standalone"); ok {
		t = rest
		if v := string(standalone); v != "yes" && v != "no" {
			return notWellFormed(start, malformedDeclaration)
		}
	}
	if skipSpace(t, 0) != len(t) {
		return notWellFormed(start, malformedDeclaration)
	}
	s.settle(end)
	w.mode = inMisc
	return nil
}

// pseudoAttribute reads white space, name, =, and a quoted value at the start of t, and returns the value and the rest.
func pseudoAttribute(t []byte, name string) (value, rest []byte, ok bool) {
	i := skipSpace(t, 0)
	if i == 0 || !bytes.HasPrefix(t[i:], []byte(name)) {
		return nil, t, false
	}
	i = skipSpace(t, i+len(name))
	if i == len(t) || t[i] != '=' {
		return nil, t, false
	}
	i = skipSpace(t, i+1)
	if i == len(t) || (t[i] != '"' && t[i] != '\'') {
		return nil, t, false
	}
	end := bytes.IndexByte(t[i+1:], t[i])
	if end < 0 {
		return nil, t, false
	}
	return t[i+1 : i+1+end], t[i+1+end+1:], true
}

func isEncodingName(name []byte) bool {
	for i, c := range name {
		if classes[c]&isName == 0 || (i == 0 && (classes[c]&isNameStart == 0 || c == '_')) {
			return false
		}
	}
	return len(name) > 0
}
