package path

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"signalbox/xmpp/scan"
)

// messages returns what is sent for text, which is written in pieces of a size.
func messages(t *testing.T, text string, size int) (all []string) {
	t.Helper()
	var o outward
	for piece := range slices.Chunk([]byte(text), size) {
		if err := o.write(piece, func(m []byte) error {
			all = append(all, string(m))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

const ourHeader = `<?xml version="1.0" encoding="UTF-8"?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='example.org' from='pc-1@example.org' xml:lang='en'>`

func TestStreamBecomesMessages(t *testing.T) {
	text := ourHeader + "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='X'>AA==</auth>" + ourHeader +
		" \n<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq><presence/><r xmlns='urn:xmpp:sm:3'/></stream:stream>"
	const open = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' version='1.0' xml:lang='en' from='pc-1@example.org' to='example.org'/>"
	want := []string{
		open, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='X'>AA==</auth>", open,
		"<iq xmlns='jabber:client' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>", "<presence xmlns='jabber:client'/>", "<r xmlns='urn:xmpp:sm:3'/>",
		"<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>",
	}
	for _, size := range []int{1, 7, 64, len(text)} {
		if got := messages(t, text, size); !slices.Equal(got, want) {
			t.Errorf("in pieces of %d: %q, want %q", size, got, want)
		}
	}
}

func TestMessagesBecomeAStream(t *testing.T) {
	for _, tt := range []struct{ name, message, want string }{
		{"open", "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' version='1.0' id='x&amp;1' from='example.org' to='pc-1@example.org' xml:lang='en'/>",
			"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='pc-1@example.org' from='example.org' id='x&amp;1' version='1.0' xml:lang='en'>"},
		{"close", "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>", "</stream:stream>"},
		{"stanza", "<presence xmlns='jabber:client'/>", "<presence xmlns='jabber:client'/>"},
		{"features", "<stream:features xmlns:stream='http://etherx.jabber.org/streams'><a xmlns='b'/></stream:features>", "<stream:features xmlns:stream='http://etherx.jabber.org/streams'><a xmlns='b'/></stream:features>"},
		{"no namespace", "<a/>", "<a xmlns=''/>"},
	} {
		if got, err := inward([]byte(tt.message)); err != nil || string(got) != tt.want {
			t.Errorf("%s: %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
	for _, bad := range []string{"", " ", "x", "<a>", "<a/><b/>", "<!DOCTYPE a><a/>", "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'><a/></open>", "<other xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>", "<a>" + strings.Repeat("x", messageLimits.Bytes) + "</a>"} {
		if got, err := inward([]byte(bad)); err == nil {
			t.Errorf("inward(%.80q) = %.80q, want an error", bad, got)
		}
	}
}

// What the server sends as a message is one item of the stream, and nothing else.
func FuzzInward(f *testing.F) {
	for _, s := range []string{"<a/>", "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>", "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>", "<p:a xmlns:p='x'>&amp;</p:a>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		text, err := inward(bytes.Clone(message))
		if err != nil {
			return
		}
		sc := scan.New(scan.Limits{Bytes: 1 << 24, Depth: 1 << 10, Attributes: 1 << 10, Namespaces: 1 << 10})
		if !bytes.HasPrefix(text, []byte("<stream:stream xmlns='jabber:client'")) {
			if _, _, err := sc.Next([]byte("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>")); err != nil {
				t.Fatal(err)
			}
		}
		ev, n, err := sc.Next(text)
		for err == nil && ev.Kind == scan.Whitespace {
			text = text[n:]
			ev, n, err = sc.Next(text)
		}
		if err != nil || ev.Kind == scan.NeedMore {
			t.Errorf("inward(%q) = %q, which is read as %v, %v", message, text, ev.Kind, err)
		}
	})
}
