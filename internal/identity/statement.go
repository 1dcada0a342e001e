package identity

import "encoding/binary"

// Purposes of signatures in this package. Those of other packages are other constants.
const (
	purposeServerLogin   = "signalbox login of the server"
	purposeEndpointLogin = "signalbox login of an endpoint"
	purposeStream        = "signalbox stream identity"
	purposeEnrolment     = "signalbox enrolment"
)

// Namespace is that of the elements by which a server proves its identity in a stream (docs/PROTOCOL.md).
const Namespace = "urn:signalbox:identity:1"

// Statement is what both sides of a login sign, each for a purpose of its own.
type Statement struct {
	Domain string // lower case
	Hello
	ServerNonce string
	Server      Public
	Bound       []byte // keying material of the connection; nil for Unbound
}

func (s Statement) bytes() []byte {
	return list([]byte(s.Domain), []byte(s.ID), []byte(s.Binding), s.Bound, []byte(s.Nonce), []byte(s.ServerNonce), s.Server.key[:])
}

// SignServer signs for the server, whose key k is that of s.Server.
func (s Statement) SignServer(k Key) []byte { return k.Sign(purposeServerLogin, s.bytes()) }

// VerifyServer reports whether sig is of SignServer, by the key of s.Server.
func (s Statement) VerifyServer(sig []byte) bool {
	return s.Server.Verify(purposeServerLogin, s.bytes(), sig)
}

// SignEndpoint signs for the endpoint.
func (s Statement) SignEndpoint(k Key) []byte { return k.Sign(purposeEndpointLogin, s.bytes()) }

// VerifyEndpoint reports whether sig is of SignEndpoint, by the key of p.
func (s Statement) VerifyEndpoint(p Public, sig []byte) bool {
	return p.Verify(purposeEndpointLogin, s.bytes(), sig)
}

// StreamProof is what a server signs to show an endpoint, before that logs in, that no TLS connection ends between them.
type StreamProof struct {
	Domain string // lower case
	Nonce  string // the endpoint's, as Nonce makes it
	Bound  []byte // keying material of the connection
}

func (p StreamProof) bytes() []byte { return list([]byte(p.Domain), []byte(p.Nonce), p.Bound) }

// Sign signs for the server.
func (p StreamProof) Sign(k Key) []byte { return k.Sign(purposeStream, p.bytes()) }

// Verify reports whether sig is of Sign, by the key of the server, for a nonce and a connection that are such.
func (p StreamProof) Verify(server Public, sig []byte) bool {
	return ValidNonce(p.Nonce) && len(p.Bound) > 0 && server.Verify(purposeStream, p.bytes(), sig)
}

// EnrolmentProof is what a server signs when it answers an enrolment.
type EnrolmentProof struct {
	Domain   string
	ID       string // of the endpoint
	Endpoint Public
	Bound    []byte // keying material of the connection; nil: the signature says nothing of that
}

func (p EnrolmentProof) bytes() []byte {
	return list([]byte(p.Domain), []byte(p.ID), p.Endpoint.key[:], p.Bound)
}

// Sign signs for the server.
func (p EnrolmentProof) Sign(k Key) []byte { return k.Sign(purposeEnrolment, p.bytes()) }

// Verify reports whether sig is of Sign, by the key of the server.
func (p EnrolmentProof) Verify(server Public, sig []byte) bool {
	return server.Verify(purposeEnrolment, p.bytes(), sig)
}

// list puts the length of each field before it, four bytes with the highest first, so that no other list gives the same bytes.
func list(fields ...[]byte) []byte {
	var b []byte
	for _, f := range fields {
		b = binary.BigEndian.AppendUint32(b, uint32(len(f)))
		b = append(b, f...)
	}
	return b
}
