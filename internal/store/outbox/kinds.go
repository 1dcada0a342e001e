package outbox

import (
	"fmt"
	"slices"

	"signalbox/internal/events"
	"signalbox/internal/push"
	"signalbox/internal/store/pushes"
)

// Kinds of event as they are stored; a number never changes its meaning. A change of a push has the number of its new state, see pushes.States.
const (
	Online = int64(len(pushes.States)) + iota
	Offline
	Never
	Deleted
	Flapping
	Cloned
	Detached
	Resumed
	Created
	Updated
	CertExpiring
	TLSRefused
	ServerStarted
	ServerDraining
	CampaignStarted
	CampaignPaused
	CampaignResumed
	CampaignAborted
	CampaignFinished
	CertChanged
	WebhookDisabled
	TURNOpened
	TURNEnded
	SessionRequested
	SessionConsent
	SessionAccepted
	SessionActive
	SessionLost
	SessionReturned
	SessionChanged
	SessionEnded
	end
)

// types are the names under which kinds of event are known outside, by their numbers.
var types = [end]events.Type{
	events.PushAccepted, events.PushSent, events.PushDelivered, events.PushHandled, events.PushFailed, events.PushExpired, events.PushReplaced, events.PushCancelled,
	events.PushRejected,
	Online: events.EndpointOnline, Offline: events.EndpointOffline, Never: events.EndpointNever, Deleted: events.EndpointDeleted,
	Flapping: events.EndpointFlapping, Cloned: events.EndpointCloned, Detached: events.EndpointDetached, Resumed: events.EndpointResumed,
	Created: events.EndpointCreated, Updated: events.EndpointUpdated, CertExpiring: events.CertExpiring, TLSRefused: events.TLSRefused,
	ServerStarted: events.ServerStarted, ServerDraining: events.ServerDraining, CampaignStarted: events.CampaignStarted,
	CampaignPaused: events.CampaignPaused, CampaignResumed: events.CampaignResumed, CampaignAborted: events.CampaignAborted,
	CampaignFinished: events.CampaignFinished, CertChanged: events.CertChanged,
	WebhookDisabled: events.WebhookDisabled, TURNOpened: events.TURNOpened, TURNEnded: events.TURNEnded,
	SessionRequested: events.SessionRequested, SessionConsent: events.SessionConsent, SessionAccepted: events.SessionAccepted, SessionActive: events.SessionActive,
	SessionLost: events.SessionLost, SessionReturned: events.SessionReturned, SessionChanged: events.SessionChanged, SessionEnded: events.SessionEnded,
}

// KindOf returns the number of a type of event, or an error if there is no such type.
func KindOf(t events.Type) (int64, error) {
	if i := slices.Index(types[:], t); i >= 0 {
		return int64(i), nil
	}
	return 0, fmt.Errorf("there is no type of event %q", t)
}

// TypeOf returns the type of event of a number, or nothing if there is none.
func TypeOf(kind int64) events.Type {
	if kind < 0 || kind >= end {
		return ""
	}
	return types[kind]
}

// Event is one row of the outbox: small, because there is one per change. What else is known of a push is read from its row.
type Event struct {
	Seq, At, Kind int64   // At in microseconds since 1970
	Ep            int64   // the endpoint's number; 0: it is about the server
	Push          push.ID // 0: it is not about a push
	Data          string  // of a push the reason, if there is one; else a JSON object
}
