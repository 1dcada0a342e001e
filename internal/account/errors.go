package account

import (
	"errors"

	"signalbox/internal/endpoint"
)

// Refusal is an error that says what is wrong with a request; nothing was changed and asking again gives the same. Every other error of this package, but
// endpoint.ErrUnknown, is the store's: state cannot be read or written at the moment.
type Refusal string

// Error implements error.
func (r Refusal) Error() string { return string(r) }

// The refusals. They are returned as they are or wrapped; the comment names the stanza error that fits.
const (
	ErrInvalid      = Refusal("invalid request")                         // bad-request, not-acceptable in a roster set
	ErrTooLarge     = Refusal("too many bytes")                          // not-acceptable
	ErrFull         = Refusal("the account holds as much as it may")     // resource-constraint; service-unavailable for offline messages (XEP-0160)
	ErrNoItem       = Refusal("no such item")                            // item-not-found
	ErrNoNode       = Refusal("no such node")                            // item-not-found
	ErrNodeExists   = Refusal("the node exists already")                 // conflict
	ErrPrecondition = Refusal("the node is configured in another way")   // conflict with precondition-not-met (XEP-0060 section 7.1.5)
	ErrNoMessage    = Refusal("the archive has no message with this id") // item-not-found (XEP-0313 section 4.1.3, XEP-0059 section 2.2)
)

// Refused reports whether err is an answer to the request rather than a failure of the store: a Refusal, or endpoint.ErrUnknown for an account that does not exist.
// A Store keeps the transaction of other changes when a step ends with such an error.
func Refused(err error) bool {
	var r Refusal
	return errors.As(err, &r) || errors.Is(err, endpoint.ErrUnknown)
}
