package push

import (
	"slices"
	"testing"
)

var states = []State{Accepted, Sent, Delivered, Handled, Failed, Expired, Replaced, Cancelled, Rejected}

// The table of SPEC section 7, and that a receipt or result counts also after the session was lost.
func TestNext(t *testing.T) {
	for _, c := range []struct {
		ack  Ack
		from State
		to   []State
	}{
		{AckDelivered, Accepted, []State{Sent, Delivered, Handled, Failed, Expired, Replaced, Cancelled, Rejected}},
		{AckDelivered, Sent, []State{Accepted, Delivered, Handled, Failed, Expired}},
		{AckDelivered, Delivered, []State{Handled, Failed}},
		{AckHandled, Accepted, []State{Sent, Delivered, Handled, Failed, Expired, Replaced, Cancelled, Rejected}},
		{AckHandled, Sent, []State{Accepted, Delivered, Handled, Failed, Expired}},
		{AckHandled, Delivered, []State{Handled, Failed}},
		{AckNone, Accepted, []State{Sent, Delivered, Handled, Failed, Expired, Replaced, Cancelled, Rejected}},
		{AckNone, Sent, nil},
		{AckNone, Delivered, nil},
	} {
		for _, to := range states {
			want := slices.Contains(c.to, to)
			if got := Next(c.from, to, c.ack); got != want {
				t.Errorf("Next(%s, %s, %s) = %v, want %v", c.from, to, c.ack, got, want)
			}
		}
	}
}

func TestNothingFollowsAnEnd(t *testing.T) {
	for _, from := range []State{Handled, Failed, Expired, Replaced, Cancelled, Rejected} {
		for _, ack := range []Ack{AckNone, AckDelivered, AckHandled} {
			for _, to := range states {
				if Next(from, to, ack) {
					t.Errorf("Next(%s, %s, %s) = true", from, to, ack)
				}
			}
		}
	}
}

func TestFinal(t *testing.T) {
	for _, c := range []struct {
		state State
		acks  []Ack
	}{
		{Accepted, nil},
		{Sent, []Ack{AckNone}},
		{Delivered, []Ack{AckNone, AckDelivered}},
		{Handled, []Ack{AckNone, AckDelivered, AckHandled}},
		{Failed, []Ack{AckNone, AckDelivered, AckHandled}},
		{Expired, []Ack{AckNone, AckDelivered, AckHandled}},
		{Replaced, []Ack{AckNone, AckDelivered, AckHandled}},
		{Cancelled, []Ack{AckNone, AckDelivered, AckHandled}},
		{Rejected, []Ack{AckNone, AckDelivered, AckHandled}},
	} {
		for _, ack := range []Ack{AckNone, AckDelivered, AckHandled} {
			if got, want := Final(c.state, ack), slices.Contains(c.acks, ack); got != want {
				t.Errorf("Final(%s, %s) = %v, want %v", c.state, ack, got, want)
			}
		}
	}
}

// How a push ends whose time is over.
func TestExpiryOf(t *testing.T) {
	for _, c := range []struct {
		from   State
		lasts  bool
		to     State
		reason string
	}{
		{Accepted, true, Expired, ReasonTTL},
		{Sent, true, Expired, ReasonTTL},
		{Delivered, true, Failed, ReasonNoResult},
		{Accepted, false, Expired, ReasonNoReceipt},
		{Sent, false, Expired, ReasonNoReceipt},
		{Delivered, false, Failed, ReasonNoResult},
	} {
		if to, reason := ExpiryOf(c.from, c.lasts); to != c.to || reason != c.reason {
			t.Errorf("ExpiryOf(%s, %v) = %s, %s, want %s, %s", c.from, c.lasts, to, reason, c.to, c.reason)
		}
	}
}
