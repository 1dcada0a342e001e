package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"signalbox/internal/client"
)

// States of a push, and what may count as its end.
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

// follow asks for a push until it is over and tells each change of its state once.
func follow(ctx context.Context, api *client.Client, id string, limit time.Duration, tell func(client.PushChange)) (p client.Push, err error) {
	shown := 0
	err = await(ctx, "wait for the end of the push", limit, func(ctx context.Context) (bool, error) {
		next, err := api.Push(ctx, id)
		if err != nil {
			return false, err
		}
		p = next
		for _, change := range p.History[min(shown, len(p.History)):] {
			tell(change)
		}
		shown = len(p.History)
		return isOver(p), nil
	})
	if err != nil && p.ID != "" {
		err = fmt.Errorf("%w; it is %s", err, stateText(last(p)))
	}
	return p, err
}

// last is the newest change of a push.
func last(p client.Push) client.PushChange {
	if len(p.History) == 0 {
		return client.PushChange{State: p.State}
	}
	return p.History[len(p.History)-1]
}

// stateText is a state with its reason.
func stateText(c client.PushChange) string {
	if c.Reason == "" {
		return c.State
	}
	return c.State + " (" + c.Reason + ")"
}

func changeText(c client.PushChange) string {
	return c.At.Local().Format("15:04:05.000") + "  " + stateText(c)
}

// writePush shows a push to people.
func writePush(w io.Writer, p client.Push) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "id\t%s\nto\t%s\ntype\t%s\nack\t%s\npriority\t%s\nexpires\t%s\nstate\t%s\n",
		p.ID, p.To, p.Type, p.Ack, p.Priority, timeText(p.ExpiresAt), stateText(last(p)))
	if err := t.Flush(); err != nil {
		return err
	}
	for _, change := range p.History {
		fmt.Fprintf(w, "  %s\n", changeText(change))
	}
	return writeResult(w, p)
}

func writeResult(w io.Writer, p client.Push) error {
	if len(p.Result) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "result %s\n", p.Result)
	return err
}
