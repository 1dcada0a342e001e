package harness

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"signalbox/internal/config"
	"signalbox/xmpp/component"
)

// ComponentSecret is the secret of all components of Components.
const ComponentSecret = "a secret of sixteen bytes or more"

// Components has a server take the components bot and gate, of domains below its own, on a loopback port in plain text.
func Components(c *config.Config) {
	path := sharedSecret(c)
	c.Listen.Component = []string{"127.0.0.1:0"}
	c.XMPP.Components = map[string]string{"bot": path, "gate." + Domain: path}
}

// TURNServers has a server hand out a TURN server with credentials.
func TURNServers(c *config.Config) {
	c.TURN.Servers, c.TURN.ExternalSecretFile = []string{"turn.signalbox.test"}, sharedSecret(c)
}

// sharedSecret returns a file with ComponentSecret.
func sharedSecret(c *config.Config) string {
	path := filepath.Join(filepath.Dir(c.DataDir), "shared.secret")
	if err := os.WriteFile(path, []byte(ComponentSecret+"\n"), 0o600); err != nil {
		panic(err) // a test's own directory
	}
	return path
}

// ConnectComponent opens a plain-text connection to the port of components.
func (s *Server) ConnectComponent(t *testing.T, name string) *Stream {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr("component"))
	if err != nil {
		t.Fatalf("%s: connect: %v", name, err)
	}
	return newStream(t, name, c)
}

// OpenComponent sends the header of a component of this domain, takes ours and returns the stream's id.
func (st *Stream) OpenComponent(domain string) (id string) {
	st.t.Helper()
	st.Send("<stream:stream xmlns='" + component.Namespace + "' xmlns:stream='http://etherx.jabber.org/streams' to='" + domain + "'>")
	if h := st.Next(); h != "(stream)" {
		st.t.Fatalf("%s: got %s, want a stream header", st.name, h)
	}
	return st.header.ID
}

// Serve opens the stream of a component and proves that it knows the secret.
func (st *Stream) Serve(domain string) {
	st.t.Helper()
	st.Send("<handshake>" + component.Handshake(st.OpenComponent(domain), []byte(ComponentSecret)) + "</handshake>")
	if got := st.Next(); got != "<handshake/>" {
		st.t.Fatalf("%s: got %s, want <handshake/>", st.name, got)
	}
}

// NewStream speaks on a connection that the caller opened.
func NewStream(t *testing.T, name string, c net.Conn) *Stream { return newStream(t, name, c) }
