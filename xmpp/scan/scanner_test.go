package scan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// drain feeds all of in at once and returns what was found, in words, up to an error or the end of what is complete.
func drain(s *Scanner, in []byte) ([]string, error) {
	return feed(s, in, []int{len(in)})
}

// feed gives in to the scanner in pieces that end at the given offsets, each time in fresh memory.
func feed(s *Scanner, in []byte, ends []int) ([]string, error) {
	var events []string
	consumed := 0
	for _, end := range ends {
		for {
			buf := append([]byte(nil), in[consumed:end]...)
			ev, n, err := s.Next(buf)
			if err != nil {
				return events, err
			}
			if ev.Kind == NeedMore {
				break
			}
			consumed += n
			events = appendEvent(events, ev)
		}
	}
	return events, nil
}

// appendEvent describes an event; runs of white space count as one, however they are cut.
func appendEvent(events []string, ev Event) []string {
	d := ev.Kind.String()
	switch ev.Kind {
	case Whitespace:
		if n := len(events); n > 0 && events[n-1] == d {
			return events
		}
	case StreamOpen:
		d += fmt.Sprintf(" %+v", *ev.Header)
	case TopLevel:
		d += " " + describe(&ev.Stanza)
	}
	return append(events, d)
}

func describe(st *Stanza) string {
	return fmt.Sprintf("%v {%s}%s to=%q from=%q id=%q type=%q lang=%q children=%d first={%s}%s inherits=%t streams=%t nested=%t redeclare=%t raw=%q",
		st.Kind, st.Namespace(), st.Local(), st.To(), st.From(), st.ID(), st.Type(), st.Lang(), st.Children,
		st.ChildNamespace(), st.ChildLocal(), st.InheritsDefault, st.HasStreams, st.NestedStanza, st.NeedsRedeclare(), st.Raw)
}

func TestNextReportsWhatItFinds(t *testing.T) {
	s := New(Limits{})
	in := decl + openClient + " \n" +
		`<iq to='a&amp;b' id="1" type='get'><ping xmlns='urn:xmpp:ping'/></iq>` + ` ` + `<r xmlns='urn:xmpp:sm:3'/></stream:stream>`
	got, err := drain(&s, []byte(in))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`stream-open {Prefix:stream Local:stream Namespace:http://etherx.jabber.org/streams Default:jabber:client To:example.com From: ID: Lang: Version:1.0}`,
		`whitespace`,
		`top-level iq {jabber:client}iq to="a&b" from="" id="1" type="get" lang="" children=1 first={urn:xmpp:ping}ping inherits=true streams=false nested=false redeclare=false raw="<iq to='a&amp;b' id=\"1\" type='get'><ping xmlns='urn:xmpp:ping'/></iq>"`,
		`whitespace`,
		`top-level nonza {urn:xmpp:sm:3}r to="" from="" id="" type="" lang="" children=0 first={} inherits=false streams=false nested=false redeclare=false raw="<r xmlns='urn:xmpp:sm:3'/>"`,
		`stream-close`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
}

func TestErrorsAreFinalUntilReset(t *testing.T) {
	s := openScanner(t)
	_, _, first := s.Next([]byte(`<a><!--`))
	_, n, second := s.Next([]byte(`<a/>`))
	if first == nil || first != second || n != 0 {
		t.Errorf("Next = %d, %v after %v", n, second, first)
	}
	if want := "restricted-xml at byte 3: comment"; first.Error() != want {
		t.Errorf("Error() = %q, want %q", first, want)
	}
	s.Reset()
	if ev, _, err := s.Next([]byte(openClient)); ev.Kind != StreamOpen || err != nil {
		t.Errorf("Next after Reset = %v, %v", ev.Kind, err)
	}
}

func TestResetInPipelinedInput(t *testing.T) {
	s := New(Limits{})
	buf := []byte(decl + openWithPrefix + `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AA==</auth>` + decl + openClient + `<iq/>`)
	var kinds []Kind
	for len(buf) > 0 {
		ev, n, err := s.Next(buf)
		if err != nil {
			t.Fatal(err)
		}
		if ev.Kind == TopLevel && ev.Stanza.Is("urn:ietf:params:xml:ns:xmpp-sasl", "auth") {
			s.Reset()
		}
		buf = buf[n:]
		kinds = append(kinds, ev.Kind)
	}
	if d := cmp.Diff([]Kind{StreamOpen, TopLevel, StreamOpen, TopLevel}, kinds); d != "" {
		t.Error(d)
	}
	if s.scope != clientScope {
		t.Error("the first stream's prefixes are still there")
	}
}

func TestZeroScanner(t *testing.T) {
	var s, reset Scanner
	reset.Reset()
	for _, s := range []*Scanner{&s, &reset} {
		events, err := drain(s, []byte(openClient+"<a/>"))
		if err != nil || len(events) != 2 {
			t.Errorf("%q, %v", events, err)
		}
	}
}

func TestParse(t *testing.T) {
	tests := []struct {
		name, in string
		want     Condition
	}{
		{"open", `<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.com' version='1.0'/>`, 0},
		{"message", `<message xmlns='jabber:client'/>`, 0},
		{"nothing", ``, NotWellFormed},
		{"white space", ` `, NotWellFormed},
		{"white space first", ` <a/>`, NotWellFormed},
		{"white space last", `<a/> `, NotWellFormed},
		{"two elements", `<a/><b/>`, NotWellFormed},
		{"incomplete", `<a>`, NotWellFormed},
		{"prefix of a stream", `<stream:features/>`, NotWellFormed},
		{"declared prefix", `<stream:features xmlns:stream='http://etherx.jabber.org/streams'/>`, 0},
		{"stream header", openClient, InvalidXML},
		{"XML declaration", decl + `<a/>`, NotWellFormed},
		{"end tag", `</stream:stream>`, NotWellFormed},
		{"empty end tag", `</>`, NotWellFormed},
		{"byte-order mark", "\uFEFF<a/>", NotWellFormed},
		{"too long", `<a>` + strings.Repeat("x", 200) + `</a>`, PolicyViolation},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st, err := Parse([]byte(tt.in), Limits{Bytes: 200})
			if got := conditionOf(t, err); got != tt.want {
				t.Errorf("Parse(%q) = %v, want %v", tt.in, err, tt.want)
			}
			if err == nil && string(st.Raw) != tt.in {
				t.Errorf("Parse(%q).Raw = %q", tt.in, st.Raw)
			}
		})
	}
}

func TestHeaderFacts(t *testing.T) {
	tests := []struct {
		in   string
		want Header
		is   bool
	}{
		{
			`<stream:stream xmlns='jabber:client' xmlns:stream="http://etherx.jabber.org/streams" to='a&amp;b' from='f' id='i' xml:lang='de' version='1.0'>`,
			Header{"stream", "stream", NamespaceStreams, NamespaceClient, "a&b", "f", "i", "de", "1.0"}, true,
		},
		{`<stream xmlns='http://etherx.jabber.org/streams'>`, Header{Local: "stream", Namespace: NamespaceStreams, Default: NamespaceStreams}, true},
		{`<x:flow xmlns:x='urn:wrong'>`, Header{Prefix: "x", Local: "flow", Namespace: "urn:wrong"}, false},
		{`<stream>`, Header{Local: "stream"}, false},
	}
	for _, tt := range tests {
		s := New(Limits{})
		ev, n, err := s.Next([]byte(tt.in))
		if err != nil || ev.Kind != StreamOpen || n != len(tt.in) {
			t.Errorf("Next(%q) = %v, %d, %v", tt.in, ev.Kind, n, err)
			continue
		}
		if d := cmp.Diff(tt.want, *ev.Header); d != "" {
			t.Errorf("%q (-want +got):\n%s", tt.in, d)
		}
		if got := ev.Header.IsStream(); got != tt.is {
			t.Errorf("IsStream(%q) = %t, want %t", tt.in, got, tt.is)
		}
	}
}
