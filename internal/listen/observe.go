package listen

import (
	"crypto/tls"
	"net/netip"
	"slices"

	"signalbox/certs"
)

// Refusal is what is known of a connection that was not handed on.
type Refusal struct {
	Reason   Reason
	How      string         // the client refused our certificate: a value of the label of signalbox_listen_tls_refusals_total; empty: it did not
	Listener string         // its configuration key, such as tls
	Remote   netip.AddrPort // behind a trusted proxy the client's, once the proxy told it
	Hello    Hello
	Secured  bool     // the handshake succeeded, and nothing usable came after it
	Leaf     [32]byte // SHA-256 of the certificate that the client was shown; zero: it saw none
	Cause    error    // nil: the reason says it all
}

// Hello is what a client's TLS hello asks for. The zero value means that none was understood.
type Hello struct {
	ServerName string
	ALPN       []string
	MaxVersion uint16 // the newest version that it speaks
}

// Observer is told of every connection that is refused. Refused must not block; it is called concurrently.
type Observer interface {
	Refused(Refusal)
}

// Observe has o told of every connection that is refused; not of those that ended as they should, or with the server. It must not be called after Open.
func (s *Server) Observe(o Observer) { s.observer = o }

// observe tells the observer, if there is one, of a connection that is refused; secured: inside TLS.
func (s *Server) observe(listener string, c *conn, r *refusal, secured bool) {
	switch r.reason {
	case Stopping, Redirected, PassthroughDial, PassthroughIdle, PassthroughDone:
		return
	}
	if s.observer == nil {
		return
	}
	told := Refusal{Reason: r.reason, Listener: listener, Remote: c.remote, Secured: secured, Cause: r.cause}
	if r.tls != nil {
		told.How, told.Hello, told.Leaf = r.tls.how, r.tls.hello, r.tls.leaf
	}
	s.observer.Refused(told)
}

// handshakeFacts are what is known of a handshake that failed.
type handshakeFacts struct {
	how   string
	hello Hello
	leaf  [32]byte
}

// read notes what a client asks for; crypto/tls has bounded it.
func (h *Hello) read(hello *tls.ClientHelloInfo) {
	h.ServerName, h.ALPN = hello.ServerName, hello.SupportedProtos
	if len(hello.SupportedVersions) > 0 {
		h.MaxVersion = slices.Max(hello.SupportedVersions)
	}
}

// shown returns the hash of the leaf that a client saw, zero for none.
func shown(leaf *certs.Leaf) [32]byte {
	if leaf == nil {
		return [32]byte{}
	}
	return leaf.SHA256
}
