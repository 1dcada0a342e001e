package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
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

// isOver reports whether the state of a push, or of all its targets, is final.
func isOver(p client.Push) bool {
	return all(p, func(state string) bool { return isEnd(state, p.Ack) })
}

// isEnd reports whether a state is final.
func isEnd(state, ack string) bool {
	return reached(state, ack) || slices.Contains([]string{"failed", "expired", "replaced", "cancelled", "rejected"}, state)
}

// isDone reports whether a push has reached what its sender asked for, at all its targets.
func isDone(p client.Push) bool {
	return all(p, func(state string) bool { return reached(state, p.Ack) })
}

// all reports whether the state of a push, or of each of its targets, fits.
func all(p client.Push, fits func(state string) bool) bool {
	if p.To != "" {
		return fits(p.State)
	}
	for state := range p.Counts {
		if !fits(state) {
			return false
		}
	}
	return true
}

func reached(state, ack string) bool {
	switch state {
	case stateHandled:
		return true
	case stateDelivered:
		return ack == ackDelivered || ack == ackNone
	case stateSent:
		return ack == ackNone
	}
	return false
}

// follow asks for a push until it is over, shows it each time, and tells each change of its state once.
func follow(ctx context.Context, api *client.Client, id string, limit time.Duration, show func(client.Push), tell func(client.PushChange)) (p client.Push, err error) {
	shown := 0
	err = await(ctx, "wait for the end of the push", limit, func(ctx context.Context) (bool, error) {
		next, err := api.Push(ctx, id)
		if err != nil {
			return false, err
		}
		p = next
		show(p)
		for _, change := range p.History[min(shown, len(p.History)):] {
			tell(change)
		}
		shown = len(p.History)
		return isOver(p), nil
	})
	if err != nil && p.ID != "" {
		err = fmt.Errorf("%w; it is %s", err, summary(p))
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

// summary is the state of a push with its reason, or how many of its targets are in which state.
func summary(p client.Push) string {
	if p.To == "" {
		return countsText(p.Counts)
	}
	return stateText(last(p))
}

// countsText is such as "998 accepted, 2 rejected", the greatest number first.
func countsText(counts map[string]int) string {
	if len(counts) == 0 {
		return "nobody yet"
	}
	states := slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return cmp.Or(counts[b]-counts[a], strings.Compare(a, b)) })
	for i, state := range states {
		states[i] = strconv.Itoa(counts[state]) + " " + state
	}
	return strings.Join(states, ", ")
}

// stateText is a state with its reason.
func stateText(c client.PushChange) string {
	if c.By != "" {
		return c.State + " (" + c.Reason + ", by " + c.By + ")"
	}
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
		p.ID, toText(p), p.Type, p.Ack, p.Priority, timeText(p.ExpiresAt), summary(p))
	if p.Fanout != "" {
		fmt.Fprintf(t, "part of\t%s\n", p.Fanout)
	}
	if p.Selector != nil {
		fmt.Fprintf(t, "for\t%s\n", selectorText(p))
	}
	if p.CollapseKey != "" {
		fmt.Fprintf(t, "collapse key\t%s\n", p.CollapseKey)
	}
	if p.NotBefore != nil {
		fmt.Fprintf(t, "not before\t%s\n", timeText(*p.NotBefore))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, change := range p.History {
		fmt.Fprintf(w, "  %s\n", changeText(change))
	}
	return writeResult(w, p)
}

// selectorText says whom a push to a group or to labels is for.
func selectorText(p client.Push) string {
	var parts []string
	if p.Selector.Group != "" {
		parts = append(parts, "group "+p.Selector.Group)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Selector.Labels)) {
		parts = append(parts, name+"="+p.Selector.Labels[name])
	}
	if p.LateJoiners {
		parts = append(parts, "and who comes to match")
	}
	return strings.Join(parts, ", ")
}

// writeEnd shows what a push came to, behind its states.
func writeEnd(w io.Writer, p client.Push) error {
	if p.To == "" {
		_, err := fmt.Fprintln(w, summary(p))
		return err
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
