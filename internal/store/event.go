package store

import (
	"encoding/json"
	"fmt"

	"signalbox/internal/endpoint"
	"signalbox/internal/events"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/outbox"
)

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
		return outbox.Online
	case endpoint.StateOffline:
		return outbox.Offline
	}
	return outbox.Never
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
	kind = outbox.Flapping
	if t.Rival != nil {
		kind, d.OtherAddr, d.OtherResource = outbox.Cloned, t.Rival.RemoteAddr, t.Rival.Resource
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
	return t.insertEvent(outbox.Event{At: direct.Micros(t.now), Kind: kind, Ep: num, Data: string(b)})
}
