package store

import (
	"encoding/json"
	"fmt"
	"slices"

	"signalbox/internal/endpoint"
	"signalbox/internal/events"
	"signalbox/internal/push"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/pushes"
)

// Kinds of event as they are stored; a number never changes its meaning. A change of a push has the number of its new state, see codes.go.
const (
	kindOnline = int64(len(pushes.States)) + iota
	kindOffline
	kindNever
	kindDeleted
	kindFlapping
	kindCloned
	kindDetached
	kindResumed
	kindCreated
	kindUpdated
	kindCertExpiring
	kindTLSRefused
	kindServerStarted
	kindServerDraining
	kindCampaignStarted
	kindCampaignPaused
	kindCampaignResumed
	kindCampaignAborted
	kindCampaignFinished
	kindCertChanged
	kindWebhookDisabled
	kindsEnd
)

// kindTypes are the names under which kinds of event are known outside, by their numbers.
var kindTypes = [kindsEnd]events.Type{
	events.PushAccepted, events.PushSent, events.PushDelivered, events.PushHandled, events.PushFailed, events.PushExpired, events.PushReplaced, events.PushCancelled,
	events.PushRejected,
	kindOnline: events.EndpointOnline, kindOffline: events.EndpointOffline, kindNever: events.EndpointNever, kindDeleted: events.EndpointDeleted,
	kindFlapping: events.EndpointFlapping, kindCloned: events.EndpointCloned, kindDetached: events.EndpointDetached, kindResumed: events.EndpointResumed,
	kindCreated: events.EndpointCreated, kindUpdated: events.EndpointUpdated, kindCertExpiring: events.CertExpiring, kindTLSRefused: events.TLSRefused,
	kindServerStarted: events.ServerStarted, kindServerDraining: events.ServerDraining, kindCampaignStarted: events.CampaignStarted,
	kindCampaignPaused: events.CampaignPaused, kindCampaignResumed: events.CampaignResumed, kindCampaignAborted: events.CampaignAborted,
	kindCampaignFinished: events.CampaignFinished, kindCertChanged: events.CertChanged,
	kindWebhookDisabled: events.WebhookDisabled,
}

// kindOf returns the number of a type of event, or an error if there is no such type.
func kindOf(t events.Type) (int64, error) {
	if i := slices.Index(kindTypes[:], t); i >= 0 {
		return int64(i), nil
	}
	return 0, fmt.Errorf("there is no type of event %q", t)
}

// event is one row of the outbox: small, because there is one per change. What else is known of a push is read from its row.
type event struct {
	seq, at, kind int64
	ep            int64   // the endpoint's number; 0: it is about the server
	push          push.ID // 0: it is not about a push
	data          string  // of a push the reason, if there is one; else a JSON object
}

type presenceData struct {
	Reason     string `json:"reason,omitempty"`
	Resource   string `json:"resource,omitempty"`
	RemoteAddr string `json:"remote_addr,omitempty"`
	Via        string `json:"via,omitempty"`
	TLSVersion string `json:"tls_version,omitempty"`
}

func presenceKind(s endpoint.State) int64 {
	switch s {
	case endpoint.StateOnline:
		return kindOnline
	case endpoint.StateOffline:
		return kindOffline
	}
	return kindNever
}

func presenceEvent(p endpoint.Presence) (string, error) {
	b, err := json.Marshal(presenceData{p.Reason, p.Resource, p.RemoteAddr, string(p.Via), p.TLSVersion})
	return string(b), err
}

// troubleData is what events of what goes wrong with an endpoint tell: of its session, and of its rival.
type troubleData struct {
	presenceData
	Sessions      int    `json:"sessions_last_minute,omitempty"`
	OtherAddr     string `json:"other_addr,omitempty"`     // of the machine that was refused
	OtherResource string `json:"other_resource,omitempty"` // that it asked for
}

func troubleEvent(t *endpoint.Trouble) (kind int64, data string, err error) {
	p := t.Presence
	d := troubleData{presenceData: presenceData{p.Reason, p.Resource, p.RemoteAddr, string(p.Via), p.TLSVersion}, Sessions: t.Sessions}
	kind = kindFlapping
	if t.Rival != nil {
		kind, d.OtherAddr, d.OtherResource = kindCloned, t.Rival.RemoteAddr, t.Rival.Resource
	}
	b, err := json.Marshal(d)
	return kind, string(b), err
}

// endpointData is what events of the making and changing of an endpoint tell.
type endpointData struct {
	Enabled bool              `json:"enabled"`
	Labels  map[string]string `json:"labels"`
	Groups  []string          `json:"groups"`
	Changed []string          `json:"changed,omitempty"` // of enabled, labels, groups, secret: what the change named
}

// endpointEvent keeps an event of an endpoint as it is now.
func (t *tx) endpointEvent(kind, num int64, e *endpoint.Endpoint, changed ...string) error {
	data := endpointData{Enabled: e.Enabled, Labels: e.Labels, Groups: e.Groups, Changed: changed}
	if data.Labels == nil {
		data.Labels = map[string]string{}
	}
	if data.Groups == nil {
		data.Groups = []string{}
	}
	b, err := events.Encode(data)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	return t.insertEvent(event{at: direct.Micros(t.now), kind: kind, ep: num, data: string(b)})
}
