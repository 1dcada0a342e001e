package webhook

import (
	"time"

	"signalbox/internal/events"
)

// coalesceAfter is how old events are that are collapsed: who follows closely sees each.
const coalesceAfter = time.Minute

// coalesce drops what a newer event of the same list makes superfluous for a receiver that was away: of an endpoint's presence the newest stays, of a push the newest
// state. Everything else stays, in its order. What is not older than coalesceAfter at now is not dropped.
func coalesce(list []events.Event, now time.Time) []events.Event {
	if len(list) == 0 || now.Sub(list[0].At) <= coalesceAfter {
		return list
	}
	newest := map[string]int64{}
	for _, e := range list {
		if s := subject(e); s != "" {
			newest[s] = e.Seq
		}
	}
	kept := list[:0]
	for _, e := range list {
		if s := subject(e); s == "" || newest[s] == e.Seq || now.Sub(e.At) <= coalesceAfter {
			kept = append(kept, e)
		}
	}
	return kept
}

// subject names what later events of the same make superfluous; empty: nothing does.
func subject(e events.Event) string {
	switch {
	case e.Push != "" && e.Type.Subject() == "push":
		return "push " + e.Push
	case e.Type == events.EndpointOnline || e.Type == events.EndpointOffline:
		return "presence " + e.Domain + " " + e.Endpoint
	}
	return ""
}
