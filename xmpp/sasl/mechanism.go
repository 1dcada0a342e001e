package sasl

import (
	"context"

	"signalbox/internal/endpoint"
)

// The names of the mechanisms, as the IANA registry of SASL mechanisms spells them.
const (
	External        = "EXTERNAL"
	ScramSHA256Plus = "SCRAM-SHA-256-PLUS"
	ScramSHA1Plus   = "SCRAM-SHA-1-PLUS"
	ScramSHA256     = endpoint.ScramSHA256
	ScramSHA1       = endpoint.ScramSHA1
	Plain           = "PLAIN"
)

// conversation is the client-first part of one exchange that differs by mechanism. step follows the rules of Exchange.Step, without a nil response.
type conversation interface {
	step(ctx context.Context, x *Exchange, response []byte) (challenge []byte, done bool, err error)
}

// mechanism is one row of the table: a mechanism of a new file joins by its row.
type mechanism struct {
	name    string
	offered func(Input) bool // called inside TLS only
	start   func() conversation
}

// mechanisms stands in order of preference, the strongest first, and is never written. A bound login comes before an unbound one with a stronger hash: what
// SHA-1 is weak at plays no part in HMAC, but a login that is not bound can be relayed.
var mechanisms = [...]mechanism{
	{Key, func(in Input) bool { return in.Keys && in.TLS.Secure() }, func() conversation { return &keyLogin{} }},
	{External, hasCertificate, func() conversation { return external{} }},
	{ScramSHA256Plus, canBind, func() conversation { return newScram(scramSHA256(), true) }},
	{ScramSHA1Plus, canBind, func() conversation { return newScram(scramSHA1(), true) }},
	{ScramSHA256, always, func() conversation { return newScram(scramSHA256(), false) }},
	{ScramSHA1, always, func() conversation { return newScram(scramSHA1(), false) }},
	{Plain, always, func() conversation { return plain{} }},
}

func always(Input) bool { return true }

func canBind(in Input) bool { return hasBinding(in.TLS) }

// Offer returns the names of the mechanisms to announce on a stream in order of preference: none where nobody may log in, EXTERNAL only with a
// certificate that names an endpoint, -PLUS only with data to bind to, SIGNALBOX-KEY only by a server that has a key.
func Offer(in Input) []string {
	if !in.TLS.MayLogIn() {
		return nil
	}
	names := make([]string, 0, len(mechanisms))
	for _, m := range mechanisms {
		if m.offered(in) {
			names = append(names, m.name)
		}
	}
	return names
}
