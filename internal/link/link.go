// Package link says what is known of one accepted connection, so that the listener and the protocol that speaks on it need not know each other.
package link

import (
	"context"
	"net"
	"net/netip"
)

// Via is the way by which an endpoint reached us, as the API shows it.
type Via string

// The ways of SPEC section 8, field via of a presence.
const (
	ViaTLS       Via = "tls"       // direct TLS, XEP-0368
	ViaSTARTTLS  Via = "starttls"  // RFC 6120 section 5
	ViaWebSocket Via = "websocket" // RFC 7395
	ViaPlaintext Via = "plaintext" // without TLS, on the laboratory's listener alone
)

// Info is what the listener knows when it hands a connection over. It holds no pointer into TLS state, so keeping it is cheap.
type Info struct {
	Remote netip.AddrPort // the client's address; from the PROXY header where its sender is trusted
	Local  netip.AddrPort // the address that accepted it
	Via    Via
	TLS    TLS // zero while the connection is in plain text
}

// TLS is what is known of the handshake. The zero value means plain text, in which nobody may log in.
type TLS struct {
	Version    uint16 // tls.VersionTLS12 or newer; 0: plain text
	ServerName string // SNI, empty if the client sent none
	ALPN       string // negotiated protocol, empty if none
	Resumed    bool
	Leaf       [32]byte // SHA-256 of our leaf certificate
	EndPoint   []byte   // channel binding tls-server-end-point of our leaf, RFC 5929 section 4
	Exporter   []byte   // channel binding tls-exporter, RFC 9266, 32 bytes; nil below TLS 1.3
	Laboratory bool     // plain text in which the operator allows logins (xmpp.insecure_plaintext); only the listener on loopback says so
	Client     Client   // of the client's certificate, if it showed one that counts
}

// Client is what a verified client certificate says. The zero value means that there is none.
type Client struct {
	Leaf      [32]byte // SHA-256 of the certificate
	Addresses []string // of XMPP, as they are spelled there; whether they are addresses at all was not checked
}

// Secure reports whether the connection is inside TLS.
func (t TLS) Secure() bool { return t.Version != 0 }

// MayLogIn reports whether secrets may be sent on the connection.
func (t TLS) MayLogIn() bool { return t.Secure() || t.Laboratory }

// Handler speaks one protocol on a connection. It owns the connection from the call on and closes it in every case; it may return before that. It ends the
// connection when ctx is done. ServeConn is called concurrently, once per connection.
type Handler interface {
	ServeConn(ctx context.Context, c net.Conn, info Info)
}

// StartTLS upgrades a plain-text connection in the server's role: the handshake has taken place when it returns. The connection that went in is used by
// nobody else afterwards. On an error the caller closes c.
type StartTLS func(ctx context.Context, c net.Conn) (net.Conn, TLS, error)
