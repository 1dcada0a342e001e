// Package listen owns the shared ports: it finds out what each accepted connection speaks (PROXY protocol, first byte, SNI, ALPN,
// first decrypted byte), makes the TLS handshake, and hands the connection to whoever registered for that protocol.
//
// # The way of a connection
//
//  1. More than max_connections open: closed.
//  2. From a trusted proxy: a PROXY header must come first; the address in it counts from here on. From anybody else such a header
//     is an unknown protocol.
//  3. More than max_per_source from that address: closed.
//  4. The first byte tells TLS, STUN and plain XMPP apart; which of them a listener speaks stands in [Protocol].
//  5. TLS: a server name of sni_passthrough goes to another host as it is. All others wait for their turn and make the handshake.
//  6. ALPN names the protocol; without it the first decrypted byte does.
//
// Nothing of that holds up the accept loop: each connection walks its way in a goroutine that ends with the hand-over, and each
// way that ends here has a [Reason].
//
// # What a handler gets
//
// The connection has no deadline set and no byte is lost. Its type is internal, but these methods may be asked for:
//
//   - inside TLS: ConnectionState() tls.ConnectionState
//   - plain: NetConn() net.Conn, the TCP connection once the bytes that were looked at are read, the connection itself before
//   - inside TLS without ALPN: Unwrap() net.Conn, the *tls.Conn once the byte that was looked at is read, the connection itself before
//
// Close gives the connection's place back, so it must be called on what was handed over, also after unwrapping it.
package listen

// Protocol is a name for what a connection speaks. Whoever speaks one registers a handler for it.
type Protocol string

// The protocols, with the listener keys on which they are spoken.
const (
	XMPP     Protocol = "xmpp"     // inside TLS from the first byte, XEP-0368: tls, xmpp
	STARTTLS Protocol = "starttls" // XMPP in plain text that asks for TLS, RFC 6120 section 5: xmpp, xmpp_plaintext
	TURN     Protocol = "turn"     // STUN and TURN over TCP or TLS, RFC 8656 section 3.1: tls
	HTTP     Protocol = "http"     // HTTP/1.1 inside TLS: tls

	Component Protocol = "component" // XEP-0114: component
)

// Protocols returns all names.
func Protocols() []Protocol { return []Protocol{XMPP, STARTTLS, TURN, HTTP, Component} }

// The names of listeners are their configuration keys.
const (
	nameTLS  = "tls"
	nameXMPP = "xmpp"
	nameHTTP = "http"

	nameComponent = "component"

	namePlaintext = "xmpp_plaintext" // the laboratory's: its key is keyPlaintext
)

// listenerNames returns the listeners that Server opens itself.
func listenerNames() []string {
	return []string{nameTLS, nameXMPP, nameHTTP, nameComponent, namePlaintext}
}

// keyOf returns the configuration key of a listener, for errors.
func keyOf(listener string) string {
	if listener == namePlaintext {
		return keyPlaintext
	}
	return "listen." + listener
}

// spoken returns what may be spoken on a listener.
func spoken(listener string) []Protocol {
	switch listener {
	case nameTLS:
		return []Protocol{XMPP, TURN, HTTP}
	case nameXMPP:
		return []Protocol{XMPP, STARTTLS}
	case nameComponent:
		return []Protocol{Component}
	case namePlaintext:
		return []Protocol{STARTTLS}
	}
	return nil
}

// alpn returns the protocol's name in the handshake (RFC 7301, IANA registry), empty if it has none.
func (p Protocol) alpn() string {
	switch p {
	case XMPP:
		return "xmpp-client"
	case TURN:
		return "stun.turn"
	case HTTP:
		return "http/1.1"
	}
	return ""
}

// opening is one row of the table of first bytes.
type opening struct {
	secure bool   // inside TLS
	bytes  string // any of these comes first
	is     Protocol
}

// openings returns the table. All protocols here are ones in which the client speaks first, and their first bytes do not overlap where they are spoken on the same listener:
//
//   - STUN: the two top bits are zero and the method of a request that may come first fits one byte (RFC 8489 section 5).
//     ChannelData cannot come first, a channel needs an allocation.
//   - XMPP, and the protocol of components: a tag, or what sloppy clients put before it: white space, a byte order mark.
//   - HTTP: the capital letters with which methods begin.
func openings() []opening {
	return []opening{
		{false, "\x00\x01", TURN},
		{false, "<", STARTTLS},
		{false, "< \t\r\n\xef", Component},
		{true, "\x00\x01", TURN},
		{true, "< \t\r\n\xef", XMPP},
		{true, "< \t\r\n\xef", Component},
		{true, "CDGHOPT", HTTP},
	}
}

// recordHandshake is the first byte of TLS (RFC 8446 section 5.1, ContentType handshake).
const recordHandshake = 0x16
