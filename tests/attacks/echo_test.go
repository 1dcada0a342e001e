package attacks

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"

	"signalbox/xmpp/scan"
)

// hostileText are values that would end the place where they stand, if they came back as they are.
var hostileText = []string{
	`'/><evil a='`, `"><evil a="`, `'>]]><evil/>`, `<evil/>`, `&lt;evil/&gt;`, `&amp;`, "a\tb\nc\rd", `a'b"c<d>e&f`, "\u2028\u202e", "\U0001F600", `'`, `"`,
}

// reference writes every character but letters as a reference, so that any value can be sent in any place.
func reference(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r >= 'a' && r <= 'z' {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "&#%d;", r)
		}
	}
	return b.String()
}

// TestRow55WhatComesBackIsEscaped: ids, addresses and resources that are full of markup come back as what they are, in every kind of answer, and mean nothing else.
func TestRow55WhatComesBackIsEscaped(t *testing.T) {
	t.Parallel()
	s := start(t, "open", []string{"a", "b"})
	b := online(t, s, "b", "w")
	for _, text := range hostileText {
		evil := reference(text)
		t.Run(fmt.Sprintf("%q", text), func(t *testing.T) {
			a := online(t, s, "a", "w")
			for _, question := range []struct{ says, attr string }{
				{"<iq type='get' id='" + evil + "'><ping xmlns='urn:xmpp:ping'/></iq>", "id"},
				{"<iq type='get' id='" + evil + "'><x xmlns='urn:x'/></iq>", "id"},
				{"<iq type='" + evil + "' id='" + evil + "'/>", "id"},
				{"<iq type='get' id='1' to='" + evil + "'><x xmlns='urn:x'/></iq>", "from"},
				{"<iq type='get' id='1' to='x@elsewhere.test/" + evil + "'><x xmlns='urn:x'/></iq>", ""},
				{"<message to='b@" + domain + "/nowhere' id='" + evil + "'><body>x</body></message>", "id"},
				{"<message to='" + evil + "' id='1'><body>x</body></message>", "from"},
				{"<presence type='asleep' id='" + evil + "'/>", "id"},
			} {
				a.say(question.says)
				got := a.ping()
				wantOne(t, got, question.attr, text)
			}
			a.say("<message to='b@" + domain + "/w' id='" + evil + "' type='" + evil + "' xml:lang='" + evil + "'><body>" + evil + "</body></message>")
			a.ping()
			b.t = t
			wantOne(t, b.ping(), "id", text)
			w := dial(t, s, directTLS)
			w.say(strings.Replace(header, " to=", " from='"+evil+"' to=", 1) + ending)
			got, _ := w.rest()
			wantDocument(t, got)
			w = authenticated(t, s, "a")
			w.say(bind(evil) + ending) // refused or taken, the answer is one stanza
			got, _ = w.rest()
			wantOne(t, strings.TrimSuffix(got, ending), "", "")
			w = authenticated(t, s, "a")
			w.say("<resume xmlns='urn:xmpp:sm:3' previd='" + evil + "' h='0'/>" + ending)
			got, _ = w.rest()
			wantOne(t, strings.TrimSuffix(got, ending), "", "")
		})
	}
}

// wantDocument fails unless text is a stream from its header to its end, without anything evil in it.
func wantDocument(t *testing.T, text string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := d.Token()
		if err == io.EOF {
			return
		}
		if start, ok := token.(xml.StartElement); err != nil || ok && start.Name.Local == "evil" {
			t.Errorf("%v, %v: %s", err, token, text)
			return
		}
	}
}

// wantOne fails unless text is one element, without anything evil in it, whose attribute has this value.
func wantOne(t *testing.T, text, attr, value string) {
	t.Helper()
	el, err := scan.ParseInStream([]byte(text), scan.Limits{Bytes: 1 << 20, Depth: 64, Attributes: 64, Namespaces: 64})
	if err != nil {
		t.Errorf("%v: %s", err, text)
		return
	}
	if strings.Contains(text, "<evil") {
		t.Errorf("an element that nobody sent: %s", text)
	}
	if got, _ := el.Element().Attr(attr); attr != "" && string(got) != value {
		t.Errorf("%s = %q, want %q: %s", attr, got, value, text)
	}
}
