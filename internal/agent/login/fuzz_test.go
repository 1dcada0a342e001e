package login

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"mellium.im/sasl"

	"signalbox/internal/agent/ladder"
)

// No challenge keeps the agent busy for long or makes it panic.
func FuzzChallenge(f *testing.F) {
	for _, s := range []string{"r=x,s=AA==,i=4096", "r=", ",,,", "r=x,s=AA==,i=4096,", "m=x,r=x,s=AA==,i=4096", "i=4096,s=AA==,r=x", "\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, challenge []byte) {
		c := sasl.NewClient(strict(sasl.ScramSha256), sasl.Credentials(func() ([]byte, []byte, []byte) { return []byte("u"), []byte("p"), nil }))
		if _, _, err := c.Step(nil); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Step(challenge); err == nil {
			t.Fatalf("challenge %q without our nonce was accepted", challenge)
		}
	})
}

// Whatever a server writes about a failure, the reason that comes of it fits a line.
func FuzzFailure(f *testing.F) {
	const header = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
	for _, s := range []string{
		"<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><account-disabled/><text>a&#10;b</text></failure>",
		"<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
		"<iq type='error'><error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
		"<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "<failure/>", "</stream:stream>",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		client, server := net.Pipe()
		server.Close()
		defer client.Close()
		n := newNegotiation(Login{}, client, nil)
		n.conn.seen = append([]byte(header), text...)
		err := n.failure(io.EOF)
		var f *ladder.Failure
		if !errors.As(err, &f) || len(f.Sentence()) > 1000 || strings.ContainsFunc(f.Sentence(), func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%q gives %v", text, err)
		}
	})
}
