package identity

import "encoding/base64"

// EnrolPath is where endpoints enrol, by POST.
const EnrolPath = "/enrol"

// EnrolRequest is what an endpoint sends to EnrolPath.
type EnrolRequest struct {
	Token     string `json:"token"`
	ID        string `json:"id,omitempty"` // that it would like; empty: the token or the server says
	PublicKey Public `json:"public_key"`
}

// Enrolled is the answer to it.
type Enrolled struct {
	ID        string   `json:"id"`
	Domain    string   `json:"domain"`
	ServerKey Public   `json:"server_key"`
	Addresses []string `json:"addresses"`               // host:port, in the order to be tried
	Proof     string   `json:"proof,omitempty"`         // signature over what the connection is bound to, base64url; empty: it is bound to nothing
	Unbound   string   `json:"unbound_proof,omitempty"` // the same without the connection
}

func (e *Enrolled) proof(endpoint Public, bound []byte) EnrolmentProof {
	return EnrolmentProof{Domain: e.Domain, ID: e.ID, Endpoint: endpoint, Bound: bound}
}

// Sign fills in the key and the proofs of the server of key k, for an endpoint on a connection that is bound to this; nil: to nothing.
func (e *Enrolled) Sign(k Key, endpoint Public, bound []byte) {
	e.ServerKey = k.Public()
	e.Unbound = base64.RawURLEncoding.EncodeToString(e.proof(endpoint, nil).Sign(k))
	if bound != nil {
		e.Proof = base64.RawURLEncoding.EncodeToString(e.proof(endpoint, bound).Sign(k))
	}
}

// Proven reports whether the server of ServerKey has written the answer for this endpoint, and with bound, that it did so on the connection which is bound to that; nil asks for
// no connection.
func (e *Enrolled) Proven(endpoint Public, bound []byte) bool {
	text := e.Proof
	if bound == nil {
		text = e.Unbound
	}
	sig, ok := parseSignature(text)
	return ok && e.proof(endpoint, bound).Verify(e.ServerKey, sig)
}
