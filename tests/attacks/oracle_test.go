package attacks

import (
	"regexp"
	"strings"
	"testing"

	"signalbox/tests/harness"
)

// answers finds what counts in what a server says. Each group is a part of the short form.
var answers = regexp.MustCompile(strings.Join([]string{
	`<(stream:error)><([a-z-]+)`,
	`<(failure) xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><([a-z-]+)`,
	`<(failed) xmlns='urn:xmpp:sm:3'[^>]*><([a-z-]+)`,
	`<(iq|message|presence) type='(error)'[^>]*><error type='([a-z]+)'><([a-z-]+)`,
	`<(iq) type='(result)'`,
	`<(iq) [^>]*?type='(get|set|result|error)'`,
	`<(?:[a-z]+:)?(message|presence)[ />]`,
	`<(success|challenge|proceed|enabled|resumed)[ />]`,
	`<(a|r) xmlns='urn:xmpp:sm:3'`,
}, "|"))

// reduce is the short form of what a server says: "stream:error conflict", "iq error cancel service-unavailable", "message"; of several the first is named first.
// Stream headers, features and the answer to the ping are left out, and so are requests for acknowledgement, which come when they come.
func reduce(text string) string {
	text = strings.ReplaceAll(text, pong, "<")
	var said []string
	for _, found := range answers.FindAllStringSubmatch(text, -1) {
		short := strings.Join(strings.Fields(strings.Join(found[1:], " ")), " ")
		if short != "r" {
			said = append(said, short)
		}
	}
	return strings.Join(said, "; ")
}

// outcome reads all that a server says until it closes and reduces it. A stream must be closed by its tag; "cut" says that it was not, "reset" that the connection
// was torn down though something was said, which may be lost.
func (w *wire) outcome() string {
	w.t.Helper()
	text, reset := w.rest()
	said := []string{reduce(text)}
	if !strings.HasSuffix(text, ending) {
		said = append(said, "cut")
	}
	if reset && text != "" {
		said = append(said, "reset")
	}
	return strings.TrimPrefix(strings.Join(said, "; "), "; ")
}

// TestReduce: the oracle is no better than its short forms.
func TestReduce(t *testing.T) {
	for text, want := range map[string]string{
		header + "<stream:features></stream:features>":                                                            "",
		"<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>":                    "stream:error conflict",
		"<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><aborted/></failure>":                                  "failure aborted",
		"<failed xmlns='urn:xmpp:sm:3' h='1'><item-not-found xmlns='x'/></failed>":                                "failed item-not-found",
		"<iq type='error' id='1' to='x'><error type='cancel'><service-unavailable xmlns='x'/></error></iq>":       "iq error cancel service-unavailable",
		"<message from='a' to='b'><body>x</body></message><r xmlns='urn:xmpp:sm:3'/><a xmlns='urn:xmpp:sm:3' h='": "message; a",
		"<iq id='1' type='set' from='x'><query/></iq><c:message xmlns:c='jabber:client'/>":                        "iq set; message",
		pong + "x'></iq>": "",
	} {
		if got := reduce(text); got != want {
			t.Errorf("reduce(%q) = %q, want %q", text, got, want)
		}
	}
}

// exchange is one case of the oracle: what a client sends, and the short form of what comes back.
type exchange struct {
	name     string
	listener string // directTLS if empty
	says     string
	want     string
	managed  string // what comes back where routing is managed, if it differs; none: nothing does
	reaches  string // short form of what the other client gets, where routing is open
	keeps    string // is in what the other client gets
	lacks    string // is in no answer, and in nothing that the other client gets
}

const none = "none"

// wanted is what must come back in this mode.
func (x exchange) wanted(mode string) string {
	switch {
	case mode == "open" || x.managed == "":
		return x.want
	case x.managed == none:
		return ""
	}
	return x.managed
}

// TestOracleHasItsCases: the survey of two other servers has 91.
func TestOracleHasItsCases(t *testing.T) {
	n := len(streamOpening) + len(beforeLogin) + len(beforeBind) + len(boundXML) + len(boundAddresses) + len(boundRequests) + len(boundStream) + len(boundManagement) +
		len(boundSpoofing) + 1 // TestOracleConflict
	if n != 91 {
		t.Errorf("%d cases, want 91", n)
	}
}

// TestOracleBeforeBind runs the cases of clients without a session, in one mode: routing begins with a session. Somebody else notices nothing.
func TestOracleBeforeBind(t *testing.T) {
	t.Parallel()
	s := start(t, "open", []string{"a", "b"}, withLaboratory)
	b := online(t, s, "b", "w")
	run := func(cases []exchange, ready func(*testing.T, exchange) *wire) {
		for _, x := range cases {
			t.Run(x.name, func(t *testing.T) {
				w := ready(t, x)
				w.say(x.says + ending)
				if got := w.outcome(); got != x.want {
					t.Errorf("the answer is %q, want %q", got, x.want)
				}
				b.t = t
				if got := b.ping(); got != "" {
					t.Errorf("the other client got %q", got)
				}
			})
		}
	}
	connect := func(t *testing.T, x exchange) *wire {
		if x.listener == "" {
			x.listener = directTLS
		}
		return dial(t, s, x.listener)
	}
	run(streamOpening, connect)
	run(beforeLogin, func(t *testing.T, x exchange) *wire {
		w := connect(t, x)
		w.ask(header, "</stream:features>")
		return w
	})
	run(beforeBind, func(t *testing.T, _ exchange) *wire { return authenticated(t, s, "a") })
}

// TestOracle runs the cases of clients with a session in both modes. The other client is available, gets what is for it and nothing else, and lives on: not even
// what ends the sender's stream as malformed harms it.
func TestOracle(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := start(t, mode, []string{"a", "b"})
			b := online(t, s, "b", "w")
			for _, cases := range [][]exchange{boundXML, boundAddresses, boundRequests, boundStream, boundManagement, boundSpoofing} {
				for _, x := range cases {
					t.Run(x.name, func(t *testing.T) { runBound(t, s, b, mode, x) })
				}
			}
		})
	}
}

func runBound(t *testing.T, s *harness.Server, b *wire, mode string, x exchange) {
	a := bound(t, s, "a", "w")
	a.say(x.says + pingText + ending)
	text, reset := a.rest()
	got := reduce(text)
	if want := x.wanted(mode); got != want || reset {
		t.Errorf("the answer is %q, reset %t, want %q\n%s", got, reset, want, text)
	}
	if lives := strings.Contains(text, pong); lives == strings.Contains(got, "stream:error") || !strings.HasSuffix(text, ending) {
		t.Errorf("the next ping is answered: %t, and the answer is %q: %q", lives, got, text)
	}
	b.t = t
	reached := b.ping() // alive
	want := x.reaches
	if mode != "open" {
		want = ""
	}
	if got := reduce(reached); got != want {
		t.Errorf("the other client got %q, want %q\n%s", got, want, reached)
	}
	if mode == "open" && !strings.Contains(reached, x.keeps) {
		t.Errorf("the other client got %s without %s", reached, x.keeps)
	}
	if x.lacks != "" && strings.Contains(text+reached, x.lacks) {
		t.Errorf("the answer is %s and the other client got %s, with %s", text, reached, x.lacks)
	}
}

// TestOracleConflict is the case of two clients with one resource: the older gets a conflict (RFC 6120 section 7.7.2.2).
func TestOracleConflict(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := start(t, mode, []string{"a"})
			older := bound(t, s, "a", "w")
			newer := bound(t, s, "a", "w")
			if got, want := older.outcome(), "stream:error conflict"; got != want {
				t.Errorf("the older one got %q, want %q", got, want)
			}
			newer.ping()
		})
	}
}
