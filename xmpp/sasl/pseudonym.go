package sasl

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"signalbox/internal/endpoint"
)

// Pseudonym returns 16 characters that stand for a client's installation: the same for the same id of the same endpoint, and from which nobody finds out the id.
func (s *Server) Pseudonym(k endpoint.Key, client string) string {
	return base64.RawURLEncoding.EncodeToString(s.derive("client", k.JID(), client)[:12])
}

// derive returns 32 bytes that only who has the server's key can compute. Purpose keeps those of different uses apart; parts hold no NUL.
func (s *Server) derive(purpose string, parts ...string) []byte {
	m := hmac.New(sha256.New, s.fakeKey)
	m.Write([]byte(purpose + "\x00" + strings.Join(parts, "\x00")))
	return m.Sum(nil)
}
