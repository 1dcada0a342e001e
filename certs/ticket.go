package certs

import (
	"bytes"
	"crypto/tls"
)

// tickets makes session tickets that hold for one leaf only. Without that a resuming client skips the certificate: after
// a swap it would go on with the old one for days, never see that the renewal is bad, and compute another
// tls-server-end-point than we do.
type tickets struct {
	keys *tls.Config // only for its ticket keys, which crypto/tls makes and rotates daily
}

func newTickets() *tickets { return &tickets{keys: &tls.Config{MinVersion: tls.VersionTLS12}} }

// ticketLeaf begins our entry in SessionState.Extra, which other layers may share.
const ticketLeaf = "signalbox leaf 1\x00"

// bind makes the configuration write and accept tickets of that leaf. A foreign ticket costs a full handshake, nothing else.
func (t *tickets) bind(c *tls.Config, leaf *Leaf) {
	entry := append([]byte(ticketLeaf), leaf.SHA256[:]...)
	c.WrapSession = func(cs tls.ConnectionState, ss *tls.SessionState) ([]byte, error) {
		ss.Extra = append(ss.Extra, entry)
		return t.keys.EncryptTicket(cs, ss)
	}
	c.UnwrapSession = func(identity []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
		ss, err := t.keys.DecryptTicket(identity, cs)
		if err != nil || ss == nil {
			return nil, err
		}
		for _, e := range ss.Extra {
			if bytes.Equal(e, entry) {
				return ss, nil
			}
		}
		return nil, nil
	}
}
