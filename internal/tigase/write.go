package tigase

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"signalbox/xmpp/scan"
)

// object is an answer, or a part of one: names with their values in order. Values are strings, bools, ints, objects, lists ([]any) of those, and raw; nil is null.
type object []member

type member struct {
	name  string
	value any
}

// raw is a whole answer that is written already; empty: there is nothing to say.
type raw struct {
	media string
	text  []byte
}

// rawAnswer is an answer that is no tree.
func rawAnswer(media string, text []byte) object { return object{{"", raw{media, text}}} }

// write answers with a tree.
func write(w http.ResponseWriter, f format, tree object) {
	if r, ok := tree[0].value.(raw); ok {
		if r.media != "" {
			w.Header().Set("Content-Type", r.media)
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(r.text)))
		_, _ = w.Write(r.text) // a failed write means that the caller has gone; so below
		return
	}
	if f == formatJSON {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(appendJSON(nil, tree))
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	_, _ = w.Write(appendXML(nil, tree))
}

// appendXML writes each member as an element; a list is an element with an item for each of its values.
func appendXML(b []byte, o object) []byte {
	for _, m := range o {
		b = append(append(append(b, '<'), m.name...), '>')
		b = appendContent(b, m.value)
		b = append(append(append(b, "</"...), m.name...), '>')
	}
	return b
}

func appendContent(b []byte, v any) []byte {
	switch v := v.(type) {
	case object:
		return appendXML(b, v)
	case []any:
		for _, one := range v {
			b = append(appendContent(append(b, "<item>"...), one), "</item>"...)
		}
		return b
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case string:
		return scan.AppendText(b, strings.Map(printable, v))
	}
	return b
}

// printable replaces what XML 1.0 cannot carry (section 2.2).
func printable(r rune) rune {
	if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
		return '\ufffd'
	}
	return r
}

func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case object:
		b = append(b, '{')
		for i, m := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendJSON(b, m.name), ':')
			b = appendJSON(b, m.value)
		}
		return append(b, '}')
	case []any:
		b = append(b, '[')
		for i, one := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, one)
		}
		return append(b, ']')
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil {
		return append(b, "null"...) // only for values that no object has
	}
	return append(b, bytes.TrimSpace(text.Bytes())...)
}

// texts makes a list of strings.
func texts(list []string) []any {
	all := make([]any, len(list))
	for i, s := range list {
		all[i] = s
	}
	return all
}
