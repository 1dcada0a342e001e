package scan

import "bytes"

// startTag handles the start tag b[pos:end] inside a stream.
func (s *Scanner) startTag(b []byte, end int, ev *Event) *Error {
	w := s.work
	depth := len(w.open)
	if depth >= s.limits.Depth {
		return overLimit(w.pos, "elements nested too deeply")
	}
	outside := frame{decls: len(w.decls), def: w.def, inherits: w.inherits}
	name, prefix, closed, err := s.readTag(b, end)
	if err != nil {
		return err
	}
	if err := s.bind(b); err != nil {
		return err
	}
	id, err := s.elementNamespace(b, name, prefix)
	if err != nil {
		return err
	}
	if err := s.record(b, depth, name, prefix, id); err != nil {
		return err
	}
	outside.name = name
	w.open = append(w.open, outside)
	w.pos, w.mode = end, inContent
	if closed {
		s.closeElement(b, ev)
	}
	return nil
}

func (s *Scanner) elementNamespace(b []byte, name span, prefix int) (nsID, *Error) {
	w := s.work
	if prefix == 0 {
		if w.inherits {
			w.stanza.InheritsDefault = true
		}
		return w.def, nil
	}
	id, ok := s.resolve(b, name.of(b)[:prefix])
	if !ok {
		return id, notWellFormed(int(name.start), "undeclared prefix")
	}
	return id, nil
}

// endTag handles the end tag b[pos:end]: of the innermost element, or of the stream.
func (s *Scanner) endTag(b []byte, end int, ev *Event) *Error {
	w := s.work
	start := w.pos + 2
	t := b[start:end]
	want := s.scope.name
	if n := len(w.open); n > 0 {
		want = w.open[n-1].name.of(b)
	}
	if len(want) == 0 || !bytes.HasPrefix(t, want) || t[skipSpace(t, len(want))] != '>' {
		return notWellFormed(start, "end tag that does not match")
	}
	w.pos, w.mode = end, inContent
	if len(w.open) > 0 {
		s.closeElement(b, ev)
		return nil
	}
	ev.Kind = StreamClose
	s.phase = afterStream
	return nil
}

// closeElement ends the innermost element; behind the outermost one the event is complete.
func (s *Scanner) closeElement(b []byte, ev *Event) {
	w := s.work
	top := len(w.open) - 1
	f := &w.open[top]
	w.decls, w.def, w.inherits = w.decls[:f.decls], f.def, f.inherits
	w.open = w.open[:top]
	if top == 0 {
		ev.Kind = TopLevel
		ev.Stanza = w.stanza
		ev.Stanza.Raw = b[:w.pos:w.pos]
	}
}
