package main

import "bytes"

// kind is what an element at the top of the stream is.
type kind byte

const (
	none kind = iota // not complete yet
	header
	ended // the stream, by the server, or what it sends is no XML
	message
	iq
	presence
	other
)

// split finds the first complete item in b by searching for its end tag: enough for servers that are known, and independent of how ours reads. It returns the
// item and how many bytes it and what stood before it take.
func split(b []byte) (what kind, item []byte, used int) {
	start := 0
	for start < len(b) && (b[start] == ' ' || b[start] == '\n' || b[start] == '\r' || b[start] == '\t') {
		start++
	}
	rest := b[start:]
	if len(rest) == 0 {
		return none, nil, start
	}
	if rest[0] != '<' {
		return ended, nil, start
	}
	tag := bytes.IndexByte(rest, '>')
	if tag < 0 {
		return none, nil, start
	}
	switch {
	case bytes.HasPrefix(rest, []byte("<?xml")):
		what, item, used = split(rest[tag+1:])
		if what == none {
			return none, nil, start
		}
		return what, item, start + tag + 1 + used
	case bytes.HasPrefix(rest, []byte("<stream:stream")):
		return header, rest[:tag+1], start + tag + 1
	case bytes.HasPrefix(rest, []byte("</")):
		return ended, rest[:tag+1], start + tag + 1
	}
	name := rest[1 : 1+bytes.IndexAny(rest[1:], " />\t\n")] // there is a '>'
	switch {
	case len(name) == 0:
		return ended, nil, start
	case rest[tag-1] == '/':
		return kindOf(name), rest[:tag+1], start + tag + 1
	}
	for from := tag + 1; ; {
		end := bytes.Index(rest[from:], name)
		if end < 0 {
			return none, nil, start
		}
		end += from
		from = end + len(name)
		if from < len(rest) && rest[from] == '>' && rest[end-1] == '/' && rest[end-2] == '<' {
			return kindOf(name), rest[:from+1], start + from + 1
		}
	}
}

func kindOf(name []byte) kind {
	switch string(name) {
	case "message":
		return message
	case "iq":
		return iq
	case "presence":
		return presence
	}
	return other
}

// attribute returns the value of the first attribute of this name in an item; what is asked for never has references in it.
func attribute(item []byte, name string) []byte {
	for _, quote := range []string{"'", `"`} {
		if _, after, ok := bytes.Cut(item, []byte(" "+name+"="+quote)); ok {
			if v, _, ok := bytes.Cut(after, []byte(quote)); ok {
				return v
			}
		}
	}
	return nil
}
