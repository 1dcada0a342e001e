package websocket

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/xmpp/scan"
)

const headerOut = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' xml:lang='en' id='i1' from='a.example' to='pc-1@a.example'>"

// said is a login and what follows it, as the server writes them, and the messages that it must become.
var said = []struct{ stream, message string }{
	{headerOut, "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' version='1.0' xml:lang='en' id='i1' from='a.example' to='pc-1@a.example'/>"},
	{"<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features>",
		"<stream:features xmlns:stream='http://etherx.jabber.org/streams'><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features>"},
	{"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'></success>", "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'></success>"},
	{headerOut, "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' version='1.0' xml:lang='en' id='i1' from='a.example' to='pc-1@a.example'/>"},
	{" ", ""},
	{"<iq type='result' id='1' to='pc-1@a.example/r'/>", "<iq xmlns='jabber:client' type='result' id='1' to='pc-1@a.example/r'/>"},
	{"<message from='x'><body>a&lt;b ]] </body></message>", "<message xmlns='jabber:client' from='x'><body>a&lt;b ]] </body></message>"},
	{"<message xmlns='jabber:client' from='x'><body/></message>", "<message xmlns='jabber:client' from='x'><body/></message>"},
	{"<r xmlns='urn:xmpp:sm:3'/>", "<r xmlns='urn:xmpp:sm:3'/>"},
	{"<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
		"<stream:error xmlns:stream='http://etherx.jabber.org/streams'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"},
	{"</stream:stream>", "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"},
}

func TestOutward(t *testing.T) {
	var stream strings.Builder
	var want []string
	for _, s := range said {
		stream.WriteString(s.stream)
		if s.message != "" {
			want = append(want, s.message)
		}
	}
	for size := 1; size <= stream.Len(); size++ {
		var o outward
		var got []string
		for rest := stream.String(); len(rest) > 0; {
			n := min(size, len(rest))
			err := o.write([]byte(rest[:n]), func(m []byte, _ *scan.Stanza) error {
				got = append(got, string(m))
				return nil
			})
			if err != nil {
				t.Fatalf("in pieces of %d bytes: %v", size, err)
			}
			rest = rest[n:]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("in pieces of %d bytes: (-want +got)\n%s", size, diff)
		}
		if o.rest != nil || o.sc != nil {
			t.Fatalf("in pieces of %d bytes: %q and a scanner are held between elements", size, o.rest)
		}
	}
}

// TestOutwardStandsAlone: each message is an element by itself.
func TestOutwardStandsAlone(t *testing.T) {
	for _, s := range said {
		if s.message == "" {
			continue
		}
		if _, err := scan.Parse([]byte(s.message), testLimits); err != nil {
			t.Errorf("%s: %v", s.message, err)
		}
	}
}

func TestOutwardRefusesWhatWeMustNotSend(t *testing.T) {
	var o outward
	err := o.write([]byte("<a></b>"), func([]byte, *scan.Stanza) error { return nil })
	if err == nil {
		t.Error("broken XML went out")
	}
}
