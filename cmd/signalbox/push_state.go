package main

import (
	"slices"

	"signalbox/internal/client"
)

// States of a push that ends, and what counts as its end.
const (
	stateSent      = "sent"
	stateDelivered = "delivered"
	stateHandled   = "handled"

	ackNone      = "none"
	ackDelivered = "delivered"
	ackHandled   = "handled"
)

// isOver reports whether the state of a push is final.
func isOver(p client.Push) bool {
	return isDone(p) || slices.Contains([]string{"failed", "expired", "replaced", "cancelled", "rejected"}, p.State)
}

// isDone reports whether a push has reached what its sender asked for.
func isDone(p client.Push) bool {
	switch p.State {
	case stateHandled:
		return true
	case stateDelivered:
		return p.Ack == ackDelivered || p.Ack == ackNone
	case stateSent:
		return p.Ack == ackNone
	}
	return false
}

// stateText is a state with its reason.
func stateText(c client.PushChange) string {
	if c.Reason == "" {
		return c.State
	}
	return c.State + " (" + c.Reason + ")"
}
