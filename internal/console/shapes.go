package console

import (
	"errors"
	"time"

	"signalbox/internal/access/technician"
	"signalbox/internal/diagnosis"
	"signalbox/internal/endpoint"
	"signalbox/internal/link"
)

// endpointBody is an endpoint as pages get it.
type endpointBody struct {
	ID       string            `json:"id"`
	JID      string            `json:"jid"`
	Enabled  bool              `json:"enabled"`
	Labels   map[string]string `json:"labels"`
	Groups   []string          `json:"groups"`
	Presence presenceBody      `json:"presence"`
	Access   accessBody        `json:"access"`
	Created  time.Time         `json:"created_at"`
}

// accessBody is what whoever asked may do on an endpoint.
type accessBody struct {
	Open        bool     `json:"open"`
	Kinds       []string `json:"kinds"`
	Permissions []string `json:"permissions"`
}

type presenceBody struct {
	State      endpoint.State `json:"state"`
	Since      time.Time      `json:"since,omitzero"`
	LastHeard  time.Time      `json:"last_heard,omitzero"`
	Reason     string         `json:"reason,omitempty"`
	Resource   string         `json:"resource,omitempty"`
	RemoteAddr string         `json:"remote_addr,omitempty"`
	Via        link.Via       `json:"via,omitempty"`
	TLSVersion string         `json:"tls_version,omitempty"`
	Flapping   bool           `json:"flapping,omitempty"`
	Cloned     *rivalBody     `json:"cloned,omitempty"`
}

type rivalBody struct {
	RemoteAddr string    `json:"remote_addr"`
	At         time.Time `json:"at"`
}

type probeBody struct {
	State    endpoint.ProbeState `json:"state"`
	At       time.Time           `json:"asked_at"`
	RTT      float64             `json:"rtt_ms,omitempty"`
	Presence presenceBody        `json:"presence"`
}

func showEndpoint(r endpoint.Record, a technician.Access) endpointBody {
	b := endpointBody{
		ID: r.ID, JID: r.JID(), Enabled: r.Enabled, Labels: r.Labels, Groups: append([]string{}, r.Groups...), Presence: showPresence(r.Presence, r.Unrest),
		Access:  accessBody{Open: len(a.Kinds) > 0 && r.Enabled, Kinds: append([]string{}, a.Kinds...), Permissions: append([]string{}, a.Permissions...)},
		Created: r.Created.UTC(),
	}
	if b.Labels == nil {
		b.Labels = map[string]string{}
	}
	return b
}

func showPresence(p endpoint.Presence, u endpoint.Unrest) presenceBody {
	b := presenceBody{
		State: p.State, Since: p.Since.UTC(), LastHeard: p.LastHeard.UTC(), Reason: p.Reason, Resource: p.Resource, RemoteAddr: p.RemoteAddr, Via: p.Via,
		TLSVersion: p.TLSVersion, Flapping: u.Flapping,
	}
	if b.State == "" {
		b.State = endpoint.StateNever
	}
	if u.Rival != nil {
		b.Cloned = &rivalBody{RemoteAddr: u.Rival.RemoteAddr, At: u.Rival.At.UTC()}
	}
	return b
}

// entryBody is one line of a timeline.
type entryBody struct {
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"`
	Summary string    `json:"summary"`
	Code    string    `json:"code,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Push    string    `json:"push,omitempty"`
	Address string    `json:"address,omitempty"`
	Count   int       `json:"count"`
}

type timelineBody struct {
	list[entryBody]
	Since time.Time `json:"complete_since,omitzero"`
}

func showTimeline(p diagnosis.Page) timelineBody {
	b := timelineBody{list: list[entryBody]{Items: make([]entryBody, len(p.Entries))}, Since: p.Since.UTC()}
	for i, e := range p.Entries {
		b.Items[i] = entryBody{At: e.At.UTC(), Kind: e.Kind, Summary: e.Summary, Code: e.Code, Reason: e.Reason, Push: e.Push, Address: e.Address, Count: e.Count}
	}
	if p.Next != "" {
		b.Next = newCursor(p.Next)
	}
	return b
}

func cursorMistake(err error) error {
	if errors.Is(err, diagnosis.ErrCursor) {
		return invalid.because("The parameter cursor is not the next of an earlier page.")
	}
	return err
}
