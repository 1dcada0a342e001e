package remote

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"time"

	"signalbox/internal/audit"
	"signalbox/internal/signalling"
)

// secretBytes is how much chance tokens and secrets to come back with hold: nobody guesses one.
const secretBytes = 32

// newSecret returns a secret and what is kept of it. So long a secret needs no slow hash.
func newSecret() (string, audit.Hash) {
	b := make([]byte, secretBytes)
	rand.Read(b) // never fails
	text := base64.RawURLEncoding.EncodeToString(b)
	return text, hashOf(text)
}

func hashOf(secret string) audit.Hash { return sha256.Sum256([]byte(secret)) }

// fits reports whether a secret is the one that a hash is kept of. Nobody knows one of the zero hash.
func fits(secret string, kept audit.Hash) bool {
	got := hashOf(secret)
	return subtle.ConstantTimeCompare(got[:], kept[:]) == 1
}

// newToken puts a token for one use in the place of the one before.
func (l *live) newToken() string {
	token, hash := newSecret()
	s := &l.record.Secrets
	s.Token, s.TokenExpires, s.TokenUsed = hash, clock().Add(signalling.AttachWithin), false
	return token
}

// admits returns why an Attach lets nobody in; empty: it does.
func (l *live) admits(a signalling.Attach, now time.Time) string {
	s := &l.record.Secrets
	switch {
	case (a.Token == "") == (a.Reattach == ""):
		return refusedWrong
	case a.Reattach != "":
		if fits(a.Reattach, s.Return) || fits(a.Reattach, s.Before) {
			return ""
		}
		return refusedWrong
	case !fits(a.Token, s.Token):
		return refusedWrong
	case s.TokenUsed:
		return refusedUsed
	case !now.Before(s.TokenExpires):
		return refusedExpired
	}
	return ""
}

// useTicket notes that an Attach has let somebody in, and returns the secret to come back with. Where the technician came back, the secret that brought them stays good until they
// have spoken: the answer with the new one may be lost, and they with it.
func (l *live) useTicket(a signalling.Attach) string {
	s := &l.record.Secrets
	secret, hash := newSecret()
	s.Before = audit.Hash{}
	if a.Reattach != "" {
		s.Before = hashOf(a.Reattach)
	} else {
		s.TokenUsed = true
	}
	s.Return = hash
	return secret
}
