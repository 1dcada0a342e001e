package api

import (
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// maxDepth bounds the nesting of arrays and objects, payloads included: receivers have smaller stacks than we have.
const maxDepth = 64

// maxFieldErrors bounds the mistakes that one answer lists.
const maxFieldErrors = 16

// maxPointer bounds the bytes of one name in a pointer, since names come from the caller.
const maxPointer = 128

var (
	errDepth     = errors.New("it is nested deeper than 64 levels")
	errSurrogate = errors.New("a string holds half of a surrogate pair, which is no character")
	errEnough    = errors.New("it has more mistakes than are listed")
)

// checker walks over JSON that json.Valid accepted and compares it with a Go type: what encoding/json lets pass (duplicate names, names in another case,
// unknown names, lone surrogates, null) is found here.
type checker struct {
	data []byte
	pos  int
	path []string
	errs []FieldError
}

func (c *checker) fail(detail string) {
	c.errs = append(c.errs, FieldError{Pointer: pointer(c.path), Detail: detail})
}

// pointer writes a path as RFC 6901 wants it.
func pointer(path []string) string {
	var b strings.Builder
	for _, name := range path {
		if len(name) > maxPointer {
			name = strings.ToValidUTF8(name[:maxPointer], "") + "..."
		}
		name = strings.ReplaceAll(name, "~", "~0")
		b.WriteString("/" + strings.ReplaceAll(name, "/", "~1"))
	}
	return b.String()
}

// value checks the value at pos. t is what it must fit; nil: anything.
func (c *checker) value(t reflect.Type, depth int) error {
	if len(c.errs) >= maxFieldErrors {
		return errEnough
	}
	c.space()
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	shape, detail := shapeOf(t)
	got := c.next()
	if shape != "" && shape != got {
		c.fail(detail)
	}
	if shape != got {
		t = nil // nothing below it has a type
	}
	if depth == maxDepth && (got == "object" || got == "array") {
		return errDepth
	}
	switch got {
	case "object":
		return c.object(t, depth+1)
	case "array":
		return c.array(t, depth+1)
	case "string":
		_, err := c.text()
		return err
	}
	c.scalar(t)
	return nil
}

// next names the shape of the value that begins at pos.
func (c *checker) next() string {
	switch c.data[c.pos] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "number"
}

// shapeOf says what JSON a type takes; an empty shape takes anything.
func shapeOf(t reflect.Type) (shape, detail string) {
	if t == nil || reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return "", ""
	}
	switch t.Kind() {
	case reflect.String:
		return "string", "it must be a string"
	case reflect.Bool:
		return "boolean", "it must be true or false"
	case reflect.Int, reflect.Int64:
		return "number", "it must be a whole number"
	case reflect.Slice:
		return "array", "it must be an array"
	}
	return "object", "it must be an object"
}

func (c *checker) object(t reflect.Type, depth int) error {
	seen := map[string]struct{}{}
	c.pos++
	for c.space(); c.data[c.pos] != '}'; c.space() {
		if c.data[c.pos] == ',' {
			c.pos++
			continue
		}
		name, err := c.text()
		if err != nil {
			return err
		}
		c.path = append(c.path, name)
		if _, twice := seen[name]; twice {
			c.fail("this name stands twice in its object")
		}
		seen[name] = struct{}{}
		c.space()
		c.pos++ // the colon
		if err := c.value(c.field(t, name), depth); err != nil {
			return err
		}
		c.path = c.path[:len(c.path)-1]
	}
	c.pos++
	return nil
}

func (c *checker) array(t reflect.Type, depth int) error {
	if t != nil {
		t = t.Elem()
	}
	c.pos++
	for i := 0; ; {
		c.space()
		switch c.data[c.pos] {
		case ']':
			c.pos++
			return nil
		case ',':
			c.pos++
			continue
		}
		c.path = append(c.path, strconv.Itoa(i))
		if err := c.value(t, depth); err != nil {
			return err
		}
		c.path = c.path[:len(c.path)-1]
		i++
	}
}

// field returns the type that an object of type t has under this name; nil if there is none to compare with.
func (c *checker) field(t reflect.Type, name string) reflect.Type {
	switch {
	case t == nil:
		return nil
	case t.Kind() == reflect.Map:
		return t.Elem()
	}
	for i := range t.NumField() {
		if tag := jsonName(t.Field(i)); tag == name && tag != "" {
			return t.Field(i).Type
		}
	}
	c.fail("there is no such field; known here: " + strings.Join(knownNames(t), ", "))
	return nil
}

func jsonName(f reflect.StructField) string {
	tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return tag
}

func knownNames(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		if tag := jsonName(t.Field(i)); tag != "" {
			names = append(names, tag)
		}
	}
	return names
}

// text reads the string at pos and returns its characters.
func (c *checker) text() (string, error) {
	start, escaped := c.pos, false
	for c.pos++; c.data[c.pos] != '"'; c.pos++ {
		if c.data[c.pos] != '\\' {
			continue
		}
		escaped = true
		c.pos++
		if c.data[c.pos] == 'u' {
			if err := c.escape(); err != nil {
				return "", err
			}
		}
	}
	c.pos++
	raw := c.data[start:c.pos]
	if !escaped {
		return string(raw[1 : len(raw)-1]), nil
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err
}

// escape stands on the u of an escape and moves to its last digit, or to that of the second half of a surrogate pair.
func (c *checker) escape() error {
	r := c.hex(c.pos + 1)
	c.pos += 4
	if !utf16.IsSurrogate(r) {
		return nil
	}
	if c.data[c.pos+1] != '\\' || c.data[c.pos+2] != 'u' || utf16.DecodeRune(r, c.hex(c.pos+3)) == unicode.ReplacementChar {
		return errSurrogate
	}
	c.pos += 6
	return nil
}

func (c *checker) hex(at int) rune {
	n, err := strconv.ParseUint(string(c.data[at:at+4]), 16, 16)
	if err != nil {
		return unicode.ReplacementChar
	}
	return rune(n)
}

// scalar reads a number or a literal; a number for a Go integer must be one.
func (c *checker) scalar(t reflect.Type) {
	start := c.pos
	for c.pos < len(c.data) && !strings.ContainsRune(" \t\r\n,]}", rune(c.data[c.pos])) {
		c.pos++
	}
	if t == nil || t.Kind() != reflect.Int64 {
		return
	}
	if _, err := strconv.ParseInt(string(c.data[start:c.pos]), 10, 64); err != nil {
		c.fail("it must be a whole number, written in digits alone, of 64 bits")
	}
}

func (c *checker) space() {
	for c.pos < len(c.data) && strings.IndexByte(" \t\r\n", c.data[c.pos]) >= 0 {
		c.pos++
	}
}
