package diagnosis

import (
	"slices"
	"strings"
)

// Code is one row of the catalogue: something that keeps an endpoint from being seen online or a push from being done, and what to do. Its name never changes its
// meaning. In the sentences, words in braces stand for facts, see facts.
type Code struct {
	Name    string
	Step    Step   // where the ladder breaks; empty: nowhere
	Seen    string // what the server sees of it
	Summary string // one sentence
	Action  string // one sentence

	fine bool // nothing is wrong
	weak bool // says little: port scanners and health checks look the same
}

// Codes returns the catalogue of endpoints: first by the ladder, then what is seen of sessions, then of the server and of the management server.
func Codes() []Code {
	return slices.Concat(tcpCodes(), tlsCodes(), streamCodes(), authCodes(), sessionCodes(), serverCodes(), managementCodes())
}

// catalogue finds codes of endpoints and of pushes by their names.
var catalogue = func() map[string]Code {
	all := map[string]Code{}
	for _, c := range slices.Concat(Codes(), PushCodes()) {
		all[c.Name] = c
	}
	return all
}()

// find returns a code by its name, the zero Code if there is none.
func find(name string) Code { return catalogue[name] }

// Finding is something that was found out, with what to do.
type Finding struct {
	Code    string
	Summary string
	Action  string
}

// facts are what stands for the words in braces of a sentence.
type facts map[string]string

// finding fills the sentences of a code. A fact that is missing leaves nothing.
func (f facts) finding(code string) Finding {
	c := find(code)
	return Finding{Code: c.Name, Summary: f.fill(c.Summary), Action: f.fill(c.Action)}
}

// fill puts the facts in, and begins the sentence with a capital.
func (f facts) fill(sentence string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(sentence, "{")
		b.WriteString(before)
		if !found {
			break
		}
		name, after, _ := strings.Cut(rest, "}")
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz") != "" { // it is no name of a fact
			b.WriteString("{")
			sentence = rest
			continue
		}
		b.WriteString(f[name])
		sentence = after
	}
	text := b.String()
	if strings.HasPrefix(text, "a client ") || strings.HasPrefix(text, "the client ") {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	return text
}
