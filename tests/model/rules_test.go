package model

import (
	"fmt"
	"slices"

	"signalbox/internal/push"
)

// next is the table of SPEC section 7, written down a second time: what a push may become. A receipt or a result may come for a push that returned to the queue when
// its session was lost: the endpoint had got it all the same.
var next = map[push.State][]push.State{
	push.Accepted:  {push.Sent, push.Delivered, push.Handled, push.Failed, push.Expired, push.Replaced, push.Cancelled, push.Rejected},
	push.Sent:      {push.Accepted, push.Delivered, push.Handled, push.Failed, push.Expired},
	push.Delivered: {push.Handled, push.Failed},
}

// done says which states end a push with this acknowledgement.
func done(s push.State, a push.Ack) bool {
	switch s {
	case push.Handled, push.Failed, push.Expired, push.Replaced, push.Cancelled, push.Rejected:
		return true
	case push.Delivered:
		return a != push.AckHandled
	case push.Sent:
		return a == push.AckNone
	}
	return false
}

// faultsOf says what is untrue in what the server says of one push.
func faultsOf(st push.Status, k *known) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	h := st.History
	if len(h) == 0 || h[0].State != push.Accepted {
		return []string{"its history does not begin with accepted"}
	}
	if last := h[len(h)-1].State; last != st.State {
		fault("its state is %s, its history ends with %s", st.State, last)
	}
	for i := 1; i < len(h); i++ {
		from, to := h[i-1].State, h[i].State
		if !slices.Contains(next[from], to) {
			fault("it went from %s to %s", from, to)
		}
		// The result of a push that was done with its receipt is still worth knowing.
		if done(from, st.Ack) && from != push.Delivered {
			fault("it went on from the final %s", from)
		}
	}
	if !done(st.State, st.Ack) {
		fault("it is not over")
	}
	has := func(s push.State) bool {
		return slices.ContainsFunc(h, func(c push.Change) bool { return c.State == s })
	}
	if has(push.Sent) && !k.wired {
		fault("it claims to have been sent")
	}
	if has(push.Delivered) && !k.receipt && k.result == "" {
		fault("it claims to be delivered, and the endpoint never said so")
	}
	if has(push.Handled) && k.result != push.Handled {
		fault("it claims to be handled, and the endpoint never said so")
	}
	if has(push.Failed) && k.result != push.Failed && h[len(h)-1].Reason != push.ReasonNoResult {
		fault("it claims to have failed, and the endpoint never said so")
	}
	if has(push.Cancelled) != k.cancelled && k.unsure == 0 {
		fault("cancelled is %v, and its caller was told %v", has(push.Cancelled), k.cancelled)
	}
	return append(faults, forgotten(st, k, has)...)
}

// forgotten says what the server confirmed to the endpoint as kept, and does not know any more.
func forgotten(st push.Status, k *known, has func(push.State) bool) (faults []string) {
	if st.Ack == push.AckNone {
		return nil // it was over when it was sent
	}
	over := has(push.Expired) || has(push.Failed) || has(push.Cancelled) || has(push.Handled) || has(push.Replaced) || has(push.Rejected)
	switch k.covered {
	case push.Delivered:
		if !has(push.Delivered) && !over {
			return []string{"the receipt that it confirmed is forgotten"}
		}
	case push.Handled, push.Failed:
		if !has(k.covered) && !over {
			return []string{"the result that it confirmed is forgotten"}
		}
	}
	return nil
}
