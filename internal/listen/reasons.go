package listen

// Reason names why a connection was closed by the listener instead of being handed on. Metrics, logs and docs use the name.
type Reason string

// The reasons. Reasons lists them with a sentence each.
const (
	NoFirstByte      Reason = "no_first_byte"
	ClosedEarly      Reason = "closed_early"
	UnknownProtocol  Reason = "unknown_protocol"
	NoHandler        Reason = "no_handler"
	ProxyMissing     Reason = "proxy_header_missing"
	ProxyBad         Reason = "proxy_header_bad"
	TooMany          Reason = "too_many_connections"
	TooManySource    Reason = "too_many_from_source"
	QueueFull        Reason = "handshake_queue_full"
	QueueTimeout     Reason = "handshake_queue_timeout"
	HandshakeTimeout Reason = "handshake_timeout"
	HandshakeFailed  Reason = "handshake_failed"
	ALPNMismatch     Reason = "alpn_mismatch"
	TLSTooOld        Reason = "tls_too_old"
	SNIUnknown       Reason = "sni_unknown"
	PassthroughDial  Reason = "passthrough_dial_failed"
	PassthroughIdle  Reason = "passthrough_idle"
	PassthroughDone  Reason = "passthrough_done"
	Redirected       Reason = "redirected"
	Stopping         Reason = "stopping"
)

// ReasonDoc is one row of the catalogue.
type ReasonDoc struct {
	Reason Reason
	Doc    string
}

// Reasons returns every reason with what it means, in the order of the way of a connection.
func Reasons() []ReasonDoc {
	return []ReasonDoc{
		{TooMany, "listen.max_connections are open, or as many as the limit of open files allows"},
		{ProxyMissing, "a trusted proxy sent no PROXY header"},
		{ProxyBad, "a trusted proxy sent a PROXY header that cannot be read"},
		{TooManySource, "listen.max_per_source are open from the same address or IPv6 /64"},
		{NoFirstByte, "nothing was said within listen.first_byte_timeout"},
		{ClosedEarly, "the peer closed or the network failed before it was known what the connection speaks"},
		{UnknownProtocol, "the first bytes are of no protocol that this listener speaks"},
		{NoHandler, "the protocol is known but switched off"},
		{QueueFull, "listen.handshake_queue connections wait for their TLS handshake already, or half as many of the same source"},
		{QueueTimeout, "the turn to make the TLS handshake did not come within listen.handshake_queue_timeout, or the time for the handshake went by while it waited for a processor"},
		{HandshakeTimeout, "the client's hello or the rest of the TLS handshake took longer than listen.handshake_timeout"},
		{HandshakeFailed, "the TLS handshake failed"},
		{ALPNMismatch, "the client offers by ALPN only protocols that are not spoken here"},
		{TLSTooOld, "the client speaks no version of TLS from 1.2 on"},
		{SNIUnknown, "no certificate covers the name that the client asks for"},
		{PassthroughDial, "the other server of listen.sni_passthrough did not accept"},
		{PassthroughIdle, "a handed on connection was silent for listen.passthrough_idle_timeout"},
		{PassthroughDone, "a handed on connection ended by itself"},
		{Redirected, "a connection of listen.http ended"},
		{Stopping, "the server stopped before the connection was handed on"},
	}
}
