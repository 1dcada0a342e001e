package login

import (
	"strings"
	"testing"

	"signalbox/xmpp/scan"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Prefixes of the stream header hold for the whole stream.
func TestPrefixesOfTheStreamHeader(t *testing.T) {
	in := NewReader(strings.NewReader("<p:push id='1'/></stream:stream>"))
	must(t, in.Replay([]byte("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xmlns:p='urn:p' version='1.0'><x/>")))
	ev, err := in.Next()
	must(t, err)
	if !ev.Stanza.Is("urn:p", "push") {
		t.Errorf("element in %s", ev.Stanza.Namespace())
	}
	if ev, err = in.Next(); err != nil || ev.Kind != scan.StreamClose {
		t.Errorf("next = %v, %v, want the end of the stream", ev.Kind, err)
	}
}

func TestReplayRefuses(t *testing.T) {
	for _, seen := range []string{
		"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams'>",
		"<stream xmlns='jabber:client'>",
		"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><x>",
		"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'></x>",
	} {
		if err := NewReader(strings.NewReader("")).Replay([]byte(seen)); err == nil {
			t.Errorf("replay(%s) = nil", seen)
		}
	}
}
