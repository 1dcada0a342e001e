package sasl

import (
	"context"

	"signalbox/internal/endpoint"
	"signalbox/internal/link"
)

// The names of the mechanisms, as the IANA registry of SASL mechanisms spells them.
const (
	ScramSHA256Plus = "SCRAM-SHA-256-PLUS"
	ScramSHA256     = endpoint.ScramSHA256
	Plain           = "PLAIN"
)

// conversation is the client-first part of one exchange that differs by mechanism. step follows the rules of Exchange.Step, without a nil response.
type conversation interface {
	step(ctx context.Context, x *Exchange, response []byte) (challenge []byte, done bool, err error)
}

// mechanism is one row of the table: a mechanism of a new file joins by its row.
type mechanism struct {
	name    string
	offered func(link.TLS) bool // called inside TLS only
	start   func() conversation
}

// mechanisms stands in order of preference and is never written.
var mechanisms = [...]mechanism{
	{ScramSHA256Plus, canBind, func() conversation { return newScram(scramSHA256(), true) }},
	{ScramSHA256, always, func() conversation { return newScram(scramSHA256(), false) }},
	{Plain, always, func() conversation { return plain{} }},
}

func always(link.TLS) bool { return true }

// Offer returns the names of the mechanisms to announce on a connection in order of preference: none where nobody may log in, -PLUS only with data to bind to.
func Offer(t link.TLS) []string {
	if !t.MayLogIn() {
		return nil
	}
	names := make([]string, 0, len(mechanisms))
	for _, m := range mechanisms {
		if m.offered(t) {
			names = append(names, m.name)
		}
	}
	return names
}
