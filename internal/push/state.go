package push

// State is a push's state in one word.
type State string

// The states of SPEC section 7.
const (
	Accepted  State = "accepted"
	Sent      State = "sent"
	Delivered State = "delivered"
	Handled   State = "handled"
	Failed    State = "failed"
	Expired   State = "expired"
	Replaced  State = "replaced"
	Cancelled State = "cancelled"
	Rejected  State = "rejected"
)

// Reasons of a change of state. Reasons lists them with a sentence each. A failed push has the reason that its endpoint gave, if it gave one.
const (
	ReasonOffline       = "offline"
	ReasonTTL           = "ttl"
	ReasonNoReceipt     = "no_receipt"
	ReasonNoResult      = "no_result"
	ReasonInterrupted   = "interrupted"
	ReasonCancelled     = "cancelled"
	ReasonRedelivery    = "session_lost"
	ReasonFailed        = "failed"
	ReasonResultDropped = "result_dropped"
	ReasonUnknown       = "unknown_endpoint"
	ReasonDisabled      = "endpoint_disabled"
	ReasonQueueFull     = "queue_full"
	ReasonCollapsed     = "collapse_key"
	ReasonDropped       = "dropped_oldest"
)

// ReasonDoc is one row of the catalogue.
type ReasonDoc struct {
	Reason string
	State  State // that the push changed to
	Doc    string
}

// Reasons returns every reason with what it means.
func Reasons() []ReasonDoc {
	return []ReasonDoc{
		{ReasonOffline, Expired, "TTL 0, and the endpoint had no session that takes pushes."},
		{ReasonTTL, Expired, "The TTL ended without a receipt."},
		{ReasonNoReceipt, Expired, "TTL 0: it was handed to the endpoint's session, and no receipt came within a minute; whether it took effect is not known."},
		{ReasonNoResult, Failed, "Delivered, and the TTL, or a minute where that is 0, ended without a result."},
		{ReasonInterrupted, Failed, "The agent was restarted while it handled the push; whether it took effect is not known."},
		{ReasonFailed, Failed, "The endpoint says so; the result tells why."},
		{ReasonResultDropped, Handled, "The endpoint's result was too large or no JSON; the state counts all the same."},
		{ReasonCancelled, Cancelled, "The management server cancelled it."},
		{ReasonUnknown, Rejected, "A target of a fan-out that no endpoint has as its id."},
		{ReasonDisabled, Rejected, "A target of a fan-out whose endpoint is disabled."},
		{ReasonQueueFull, Rejected, "A target of a fan-out whose endpoint has too much waiting already."},
		{ReasonCollapsed, Replaced, "A newer push with the same collapse key took its place; by says which."},
		{ReasonDropped, Rejected, "The endpoint's queue was full and push.queue_policy is drop_oldest; the endpoint is told by a push of type signalbox.resync."},
		{ReasonRedelivery, Accepted, "It was sent, and the session ended without a receipt; it will be sent again with the same id."},
	}
}

// Final reports whether a push with this acknowledgement level stays in state s.
func Final(s State, a Ack) bool {
	switch s {
	case Accepted:
		return false
	case Sent:
		return a == AckNone
	case Delivered:
		return a != AckHandled
	}
	return true
}

// Next says whether a push in state from may go to state to: the table of SPEC section 7.
//
// A receipt or a result is taken also for a push that is accepted again because its session ended: the endpoint had got it all the same. A result implies
// the receipt.
func Next(from, to State, a Ack) bool {
	if Final(from, a) {
		return from == Delivered && a == AckDelivered && (to == Handled || to == Failed)
	}
	switch to {
	case Accepted:
		return from == Sent
	case Sent:
		return from == Accepted
	case Delivered:
		return from == Accepted || from == Sent
	case Handled, Failed:
		return true
	case Expired:
		return from == Accepted || from == Sent
	case Replaced, Cancelled, Rejected:
		return from == Accepted
	}
	return false
}

// ExpiryOf returns how a push in state from, which is not final, ends when its time is over: its TTL where it lasts, and else NowGrace.
func ExpiryOf(from State, lasts bool) (State, string) {
	switch {
	case from == Delivered:
		return Failed, ReasonNoResult
	case lasts:
		return Expired, ReasonTTL
	}
	return Expired, ReasonNoReceipt
}
