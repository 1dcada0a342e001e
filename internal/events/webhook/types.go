package webhook

import (
	"fmt"
	"slices"
	"strings"

	"signalbox/internal/events"
)

// Types of messages that are no events of the outbox.
const (
	Snapshot events.Type = "presence.snapshot" // what is online is to be read again
	Test     events.Type = "webhook.test"      // somebody asked whether the receiver works; it is sent whatever types are asked for
)

// KnownTypes returns the types that a receiver can ask for.
func KnownTypes() []events.Type { return append(events.Types(), Snapshot) }

// chatty are the types that nobody gets who does not ask for them: whoever posts pushes knows that they were accepted, and the next state says that they were sent.
var chatty = []events.Type{events.PushAccepted, events.PushSent}

// CheckTypes says what is wrong with what a receiver asks for: types such as push.failed, all of a subject such as push.*, or * for everything.
func CheckTypes(patterns []string) error {
	if len(patterns) > MaxTypes {
		return fmt.Errorf("%d are given, at most %d are allowed", len(patterns), MaxTypes)
	}
	for i, p := range patterns {
		if !slices.ContainsFunc(KnownTypes(), func(t events.Type) bool { return matches(p, t) }) {
			return fmt.Errorf("entry %d is no type of event such as push.failed, nor a pattern such as endpoint.* or *", i+1)
		}
	}
	return nil
}

func matches(pattern string, t events.Type) bool {
	subject, all := strings.CutSuffix(pattern, ".*")
	return pattern == "*" || pattern == string(t) || all && subject == t.Subject()
}

// wants reports whether a receiver that asks for these patterns gets the type.
func wants(patterns []string, t events.Type) bool {
	switch {
	case t.Quiet():
		return false
	case len(patterns) == 0:
		return !slices.Contains(chatty, t)
	}
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, t) })
}
