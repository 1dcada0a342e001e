// Package websocket carries XMPP streams over WebSockets (RFC 7395), and says where in host-meta (XEP-0156).
//
// The streams do not know: a connection of this package looks like one of RFC 6120. What a client sends becomes bytes of such a stream, message by message, and what
// the server writes is cut into messages again.
package websocket
