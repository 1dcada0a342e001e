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

// Reasons of a change of state, beyond those with which a session ends. One catalogue for API, events and docs.
const (
	ReasonOffline     = "offline"      // TTL 0 and no session that takes pushes
	ReasonTTL         = "ttl"          // the TTL ended without a receipt
	ReasonNoResult    = "no_result"    // delivered, and the TTL ended without a result
	ReasonInterrupted = "interrupted"  // the agent was restarted while it handled the push
	ReasonCancelled   = "cancelled"    // by the API
	ReasonRedelivery  = "session_lost" // sent, and the session ended without a receipt
	ReasonFailed      = "failed"       // the endpoint says so; its result tells why
)

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
