package scan

import (
	"fmt"
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
