package pushes

import (
	"database/sql/driver"
	"fmt"
	"time"

	"signalbox/internal/push"
)

// States holds the states in the order of the numbers under which they are stored; a number never changes its meaning. Queries name some of them.
var States = [...]push.State{
	push.Accepted, push.Sent, push.Delivered, push.Handled, push.Failed, push.Expired, push.Replaced, push.Cancelled, push.Rejected,
}

// StateCode returns the number of a state, or -1 if there is no such state.
func StateCode(s push.State) int64 {
	for i, known := range States {
		if known == s {
			return int64(i)
		}
	}
	return -1
}

// StateOf returns the state of a number.
func StateOf(code int64) (push.State, error) {
	if code < 0 || code >= int64(len(States)) {
		return "", fmt.Errorf("stored push has the unknown state %d", code)
	}
	return States[code], nil
}

// Places of a push in its endpoint's queue; what waits has its priority as its place.
const (
	placeOnTheWay = int64(push.Low) + 1
	placeFinal    = placeOnTheWay + 1
)

// PlaceOf returns the place of a push in its queue.
func PlaceOf(s push.State, a push.Ack, p push.Priority) int64 {
	switch {
	case push.Final(s, a):
		return placeFinal
	case s == push.Accepted:
		return int64(p)
	}
	return placeOnTheWay
}

// firstPlace is the place of a push that is being accepted: what has to wait for its time is not where others look for what waits.
func firstPlace(p *push.Push) int64 {
	if p.Scheduled() {
		return placeOnTheWay
	}
	return int64(p.Priority)
}

// idOrNull, textOrNull and timeOrNull are how columns are written that are NULL where there is nothing.
func idOrNull(id push.ID) driver.Value {
	if id == 0 {
		return nil
	}
	return int64(id)
}

func textOrNull(s string) driver.Value {
	if s == "" {
		return nil
	}
	return s
}

func timeOrNull(t time.Time) driver.Value {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// What the payload of a push is, as it is stored: JSON text is 0.
const (
	formBinary  = 1
	formMessage = 2
)

func formOf(p *push.Push) int64 {
	switch {
	case p.Message:
		return formMessage
	case p.Binary:
		return formBinary
	}
	return 0
}
