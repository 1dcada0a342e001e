package feature

import (
	"errors"

	"mellium.im/xmpp/stanza"

	"signalbox/internal/account"
)

// Mistake is the answer for an error of internal/account; false: it is not the client's but the store's, which somebody must hear of.
func Mistake(err error) (a Answer, ok bool) {
	switch {
	case errors.Is(err, account.ErrFull):
		return Refuse(stanza.Wait, stanza.ResourceConstraint), true
	case errors.Is(err, account.ErrNoItem), errors.Is(err, account.ErrNoNode), errors.Is(err, account.ErrNoMessage):
		return Refuse(stanza.Cancel, stanza.ItemNotFound), true
	case errors.Is(err, account.ErrNodeExists):
		return Refuse(stanza.Cancel, stanza.Conflict), true
	case errors.Is(err, account.ErrPrecondition):
		a := Refuse(stanza.Cancel, stanza.Conflict)
		a.Detail = "<precondition-not-met xmlns='http://jabber.org/protocol/pubsub#errors'/>"
		return a, true
	case errors.Is(err, account.ErrTooLarge):
		return Refuse(stanza.Modify, stanza.NotAcceptable), true
	case account.Refused(err):
		return Refuse(stanza.Modify, stanza.BadRequest), true
	}
	return Refuse(stanza.Wait, stanza.InternalServerError), false
}
