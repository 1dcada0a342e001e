package signalling

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/xmpp/scan"
)

// field is where one field of a message stands in both spellings. XML has - for the _ of names.
type field struct {
	name  string // of the member, and of the attribute or child element
	item  string // of a list: the name of the child elements, one for each entry
	shape shape
	place place // of a scalar
}

// shape is what JSON makes of a scalar.
type shape uint8

const (
	text shape = iota
	number
	boolean
)

// place is where XML has a scalar.
type place uint8

const (
	attribute place = iota
	child           // the text of a child element
	body            // the text of the element itself
)

// need says whether a field must be there. An optional one that is empty is as good as absent, and is not written.
type need bool

const (
	required need = true
	optional need = false
)

// source gives the fields of one message in one spelling. What was asked for is taken out of it.
type source interface {
	value(field) (text string, found bool, err *Error)
	list(field) (all []string, found bool, err *Error)
	parts(field) (all []source, found bool, err *Error)
	// rest refuses what was not asked for.
	rest() *Error
}

// target takes the fields of one message in one spelling.
type target interface {
	value(fd field, text string)
	list(fd field, all []string)
	parts(fd field, n int, each func(i int, out target))
}

// form is one pass over the fields of a message, which are named once, for both spellings, to be read or to be written. The first mistake counts, and ends it.
type form struct {
	in  source // nil: they are written
	out target // nil: they are read
	err *Error
}

func (f *form) fail(c Code, member, detail string) {
	if f.err == nil {
		f.err = &Error{Code: c, Member: member, Detail: detail}
	}
}

// take notes what a source said of a field, and reports whether the field is there.
func (f *form) take(fd field, found bool, err *Error, n need) bool {
	switch {
	case err != nil:
		f.err = err
	case !found && n == required:
		f.fail(MissingMember, fd.name, "it must be there")
	}
	return found && f.err == nil
}

// scalar moves one value. check says what is wrong with it, and takes it where at is not the field itself.
func (f *form) scalar(fd field, at *string, n need, check func(string) string) {
	if f.err != nil {
		return
	}
	if f.in != nil {
		got, found, err := f.in.value(fd)
		if !f.take(fd, found, err, n) {
			return
		}
		*at = got
	}
	if *at == "" && n == optional && (f.in == nil || fd.shape == text) {
		return
	}
	if !scan.ValidText(*at) {
		f.fail(WrongValue, fd.name, "it holds a character that XML cannot carry")
	} else if why := check(*at); why != "" {
		f.fail(WrongValue, fd.name, why)
	} else if f.out != nil {
		f.out.value(fd, *at)
	}
}

// within checks the length of a text.
func within(low, high int) func(string) string {
	return func(s string) string {
		switch {
		case len(s) < low:
			return "it must not be empty"
		case len(s) > high:
			return fmt.Sprintf("it must have at most %d bytes", high)
		}
		return ""
	}
}

// text is a short text in an attribute.
func (f *form) text(name string, at *string, low, high int, n need) {
	f.scalar(field{name: name}, at, n, within(low, high))
}

// long is a text that stands between tags.
func (f *form) long(name string, p place, at *string, low, high int) {
	f.scalar(field{name: name, place: p}, at, required, within(low, high))
}

// sentence is something for people, which is cut rather than refused when we write it.
func (f *form) sentence(name string, at *string) {
	if f.out != nil {
		*at = clip(*at, MaxSentence)
	}
	f.scalar(field{name: name}, at, optional, within(0, MaxSentence))
}

// checkName checks a name of our own kind.
func checkName(s string) string {
	if s == "" || len(s) > MaxName || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
		return fmt.Sprintf("it must be a name: 1 to %d of a-z, 0-9 and . _ -", MaxName)
	}
	return ""
}

func (f *form) name(name string, at *string, n need) { f.scalar(field{name: name}, at, n, checkName) }

// oneOf is a text that has one of these values.
func (f *form) oneOf(name string, at *string, n need, values ...string) {
	f.scalar(field{name: name}, at, n, func(s string) string {
		if slices.Contains(values, s) {
			return ""
		}
		return "it must be one of " + strings.TrimPrefix(strings.Join(values, ", "), ", ")
	})
}

// whole is a whole number within bounds, written as Go writes it.
func whole[T ~int | ~int64](f *form, name string, at *T, low, high T, n need) {
	digits := ""
	if *at != 0 || n == required {
		digits = strconv.FormatInt(int64(*at), 10)
	}
	f.scalar(field{name: name, shape: number}, &digits, n, func(s string) string {
		v, err := strconv.ParseInt(s, 10, 64)
		if err != nil || strconv.FormatInt(v, 10) != s || T(v) < low || T(v) > high {
			return fmt.Sprintf("it must be a whole number from %d to %d", int64(low), int64(high))
		}
		*at = T(v)
		return ""
	})
}

func (f *form) flag(name string, at *bool, n need) {
	word := ""
	if *at || n == required {
		word = strconv.FormatBool(*at)
	}
	f.scalar(field{name: name, shape: boolean}, &word, n, func(s string) string {
		if s != "true" && s != "false" {
			return "it must be true or false"
		}
		*at = s == "true"
		return ""
	})
}

// moment is a time of RFC 3339 in UTC.
func (f *form) moment(name string, at *time.Time, n need) {
	stamp := ""
	if !at.IsZero() || n == required {
		stamp = at.UTC().Format(time.RFC3339Nano)
	}
	f.scalar(field{name: name}, &stamp, n, func(s string) string {
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil || !strings.HasSuffix(s, "Z") || len(s) > MaxName {
			return "it must be a time of RFC 3339 in UTC"
		}
		*at = t.UTC()
		return ""
	})
}

// maybe is a moment that need not be.
func (f *form) maybe(name string, at **time.Time) {
	var t time.Time
	if *at != nil {
		t = **at
	}
	if f.moment(name, &t, optional); f.in != nil && !t.IsZero() {
		*at = &t
	}
}

// texts is a list of short texts.
func (f *form) texts(name, item string, at *[]string, n need, check func(string) string) {
	fd := field{name: name, item: item}
	if f.err != nil || f.in == nil && n == optional && len(*at) == 0 {
		return
	}
	if f.in != nil {
		got, found, err := f.in.list(fd)
		if !f.take(fd, found, err, n) {
			return
		}
		*at = got
	}
	f.bound(name, len(*at))
	for i, s := range *at {
		why := check(s)
		if !scan.ValidText(s) {
			why = "it holds a character that XML cannot carry"
		}
		if why != "" {
			f.fail(WrongValue, name+"/"+strconv.Itoa(i), why)
		}
	}
	if f.out != nil && f.err == nil {
		f.out.list(fd, *at)
	}
}

func (f *form) bound(name string, n int) {
	if n > MaxList {
		f.fail(WrongValue, name, fmt.Sprintf("it must have at most %d entries", MaxList))
	}
}

// parts is a list of things that have fields themselves.
func parts[T any](f *form, name, item string, at *[]T, n need, fields func(*T, *form)) {
	fd := field{name: name, item: item}
	switch {
	case f.err != nil:
	case f.in != nil:
		all, found, err := f.in.parts(fd)
		if !f.take(fd, found, err, n) {
			return
		}
		f.bound(name, len(all))
		for i := 0; i < len(all) && f.err == nil; i++ {
			var v T
			f.within(name+"/"+strconv.Itoa(i), &form{in: all[i]}, func(g *form) { fields(&v, g) })
			*at = append(*at, v)
		}
	case n == required || len(*at) > 0:
		f.bound(name, len(*at))
		f.out.parts(fd, len(*at), func(i int, out target) {
			v := (*at)[i] // others may read the list meanwhile
			f.within(name+"/"+strconv.Itoa(i), &form{out: out}, func(g *form) { fields(&v, g) })
		})
	}
}

// within has the fields of a part pass by a form of their own.
func (f *form) within(path string, g *form, fields func(*form)) {
	fields(g)
	g.finish()
	if g.err != nil {
		f.fail(g.err.Code, strings.TrimSuffix(path+"/"+g.err.Member, "/"), g.err.Detail)
	}
}

// finish refuses what is left where fields were read.
func (f *form) finish() {
	if f.in != nil && f.err == nil {
		f.err = f.in.rest()
	}
}
