package scan

import "bytes"

// readTag reads the start tag b[pos:end] into scratch.attrs, without a look at namespaces. closed says that it ends in />.
func (s *Scanner) readTag(b []byte, end int) (name span, prefix int, closed bool, err *Error) {
	w := s.work
	t := b[:end]
	start := w.pos + 1
	i, prefix, ok := skipQName(t, start)
	if !ok {
		return name, 0, false, notWellFormed(i, "malformed element name")
	}
	name = at(start, i)
	w.attrs = w.attrs[:0]
	for {
		j := skipSpace(t, i)
		if t[j] == '>' {
			return name, prefix, false, nil
		}
		if t[j] == '/' && t[j+1] == '>' {
			return name, prefix, true, nil
		}
		if j == i {
			return name, 0, false, notWellFormed(j, "malformed tag")
		}
		if i, err = s.readAttribute(t, j); err != nil {
			return name, 0, false, err
		}
	}
}

// readAttribute reads the attribute at t[i] and returns the offset behind it.
func (s *Scanner) readAttribute(t []byte, i int) (int, *Error) {
	w := s.work
	nameEnd, prefix, ok := skipQName(t, i)
	if !ok {
		return 0, notWellFormed(nameEnd, "malformed attribute name")
	}
	if len(w.attrs) >= s.limits.Attributes {
		return 0, overLimit(i, "too many attributes")
	}
	for k := range w.attrs {
		if n := w.attrs[k].name; n.len() == nameEnd-i && bytes.Equal(n.of(t), t[i:nameEnd]) {
			return 0, notWellFormed(i, "duplicate attribute")
		}
	}
	j := skipSpace(t, nameEnd)
	if t[j] != '=' {
		return 0, notWellFormed(j, "attribute without a value")
	}
	j = skipSpace(t, j+1)
	if t[j] != '"' && t[j] != '\'' {
		return 0, notWellFormed(j, "attribute value without quotes")
	}
	end, escaped, err := skipValue(t, j+1, t[j])
	if err != nil {
		return 0, err
	}
	w.attrs = append(w.attrs, attribute{
		name: at(i, nameEnd), prefix: prefix, value: at(j+1, end), escaped: escaped, id: noNamespace,
	})
	return end + 1, nil
}

// skipValue returns the offset of the closing quote of the attribute value that starts at t[i], and whether the value
// differs from its raw bytes.
func skipValue(t []byte, i int, quote byte) (end int, escaped bool, err *Error) {
	for i < len(t) {
		c := t[i]
		if classes[c]&stopsValue == 0 {
			i++
			continue
		}
		switch c {
		case quote:
			return i, escaped, nil
		case '"', '\'':
			i++
		case '\t', '\n', '\r':
			escaped = true
			i++
		case '&':
			escaped = true
			if i, err = skipReference(t, i); err != nil {
				return 0, false, err
			}
		case '<':
			return 0, false, notWellFormed(i, "< in an attribute value")
		default:
			n := legalAt(t[i:])
			if n == 0 {
				return 0, false, notWellFormed(i, "invalid UTF-8 or illegal character")
			}
			i += n
		}
	}
	return 0, false, notWellFormed(i, "attribute value without an end")
}
