package signalling

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"
)

// maxDepth bounds how deep objects and lists are nested, more than any message needs.
const maxDepth = 8

// maxShown bounds what is repeated of a name that the other side made up.
const maxShown = 32

// object is a JSON object, each of whose members stands in it once. It implements source. Its values are string, json.Number, bool, nil, []any and object.
type object map[string]any

// readJSON reads one object and nothing behind it.
func readJSON(data []byte) (object, *Error) {
	if !utf8.Valid(data) || !json.Valid(data) {
		return nil, &Error{Code: Malformed, Detail: "it must be one JSON object in UTF-8"}
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	v, err := readValue(dec, maxDepth)
	if err != nil {
		return nil, err
	}
	o, ok := v.(object)
	if !ok {
		return nil, &Error{Code: Malformed, Detail: "it must be one JSON object in UTF-8"}
	}
	return o, nil
}

// readValue reads the next value of what json.Valid has found to be right.
func readValue(dec *json.Decoder, depth int) (any, *Error) {
	t, err := dec.Token()
	if err != nil {
		return nil, &Error{Code: Malformed, Detail: "it must be one JSON object in UTF-8"}
	}
	open, ok := t.(json.Delim)
	switch {
	case !ok:
		return t, nil
	case depth == 0:
		return nil, &Error{Code: Malformed, Detail: "it is nested too deep"}
	case open == '{':
		return readObject(dec, depth-1)
	}
	all := []any{}
	for dec.More() {
		v, err := readValue(dec, depth-1)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	_, _ = dec.Token()
	return all, nil
}

func readObject(dec *json.Decoder, depth int) (any, *Error) {
	o := object{}
	for dec.More() {
		t, _ := dec.Token()
		name, _ := t.(string)
		if _, twice := o[name]; twice {
			return nil, &Error{Code: DuplicateMember, Member: shown(name), Detail: "it stands there twice"}
		}
		v, err := readValue(dec, depth)
		if err != nil {
			return nil, err
		}
		o[name] = v
	}
	_, _ = dec.Token()
	return o, nil
}

// shown is how a name that the other side made up is repeated.
func shown(name string) string {
	if quoted := strconv.QuoteToASCII(clip(name, maxShown)); quoted[1:len(quoted)-1] != name {
		return quoted
	}
	return name
}

func (o object) take(name string) (v any, found bool) {
	v, found = o[name]
	delete(o, name)
	return v, found
}

func wrongType(member, want string) *Error {
	return &Error{Code: WrongType, Member: member, Detail: "it must be " + want}
}

// value implements source.
func (o object) value(fd field) (string, bool, *Error) {
	v, found := o.take(fd.name)
	if !found {
		return "", false, nil
	}
	switch v := v.(type) {
	case string:
		if fd.shape == text {
			return v, true, nil
		}
	case json.Number:
		if fd.shape == number {
			return v.String(), true, nil
		}
	case bool:
		if fd.shape == boolean {
			return strconv.FormatBool(v), true, nil
		}
	}
	return "", true, wrongType(fd.name, [...]string{text: "a text", number: "a number", boolean: "true or false"}[fd.shape])
}

// list implements source.
func (o object) list(fd field) (all []string, found bool, err *Error) {
	entries, found, err := o.array(fd)
	for i, e := range entries {
		s, ok := e.(string)
		if !ok {
			return nil, true, wrongType(fmt.Sprintf("%s/%d", fd.name, i), "a text")
		}
		all = append(all, s)
	}
	return all, found, err
}

func (o object) array(fd field) ([]any, bool, *Error) {
	v, found := o.take(fd.name)
	entries, ok := v.([]any)
	if found && !ok {
		return nil, true, wrongType(fd.name, "a list")
	}
	return entries, found, nil
}

// parts implements source.
func (o object) parts(fd field) (all []source, found bool, err *Error) {
	entries, found, err := o.array(fd)
	for i, e := range entries {
		part, ok := e.(object)
		if !ok {
			return nil, true, wrongType(fmt.Sprintf("%s/%d", fd.name, i), "an object")
		}
		all = append(all, part)
	}
	return all, found, err
}

// rest implements source.
func (o object) rest() *Error {
	for _, name := range slices.Sorted(maps.Keys(o)) {
		return &Error{Code: UnknownMember, Member: shown(name), Detail: "there is no such member"}
	}
	return nil
}

// jsonTarget writes an object. It implements target.
type jsonTarget struct{ b []byte }

func (j *jsonTarget) name(name string) {
	if j.b[len(j.b)-1] != '{' {
		j.b = append(j.b, ',')
	}
	j.b = append(appendQuoted(j.b, name), ':')
}

// value implements target.
func (j *jsonTarget) value(fd field, s string) {
	if j.name(fd.name); fd.shape == text {
		j.b = appendQuoted(j.b, s)
	} else {
		j.b = append(j.b, s...)
	}
}

// list implements target.
func (j *jsonTarget) list(fd field, all []string) {
	j.entries(fd, len(all), func(i int) { j.b = appendQuoted(j.b, all[i]) })
}

// parts implements target.
func (j *jsonTarget) parts(fd field, n int, each func(int, target)) {
	j.entries(fd, n, func(i int) { j.braces(func(out target) { each(i, out) }) })
}

func (j *jsonTarget) entries(fd field, n int, each func(int)) {
	j.name(fd.name)
	j.b = append(j.b, '[')
	for i := range n {
		if i > 0 {
			j.b = append(j.b, ',')
		}
		each(i)
	}
	j.b = append(j.b, ']')
}

func (j *jsonTarget) braces(fields func(target)) {
	j.b = append(j.b, '{')
	fields(j)
	j.b = append(j.b, '}')
}

// appendQuoted appends a string of JSON (RFC 8259 section 7). encoding/json would escape <, > and & for pages of HTML, which makes session descriptions long.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c < ' ':
			b = fmt.Appendf(b, `\u%04x`, c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
