package remote

import (
	"context"
	"encoding/json"
	"time"

	"signalbox/internal/audit"
	"signalbox/internal/signalling"
	"signalbox/internal/telemetry"
)

// actor is how the audit names a caller.
func (c Caller) actor() string {
	if c.Token != "" {
		return "token:" + c.Name
	}
	return "technician:" + c.Name
}

func (l *live) endpointActor() string { return "endpoint:" + l.key.ID }

// technicianActor names the technician: an account of the console that opened its own session as what else it does is named, anybody else as the management server does.
func (l *live) technicianActor() string { return technicianOf(l.record) }

func technicianOf(r Session) string {
	if r.By.Token == "" {
		return r.By.actor()
	}
	return "technician:" + r.Technician.ID
}

// What entries say, by their action.
type (
	requestedDetail struct {
		Endpoint    string                `json:"endpoint"`
		Technician  signalling.Technician `json:"technician"`
		Why         string                `json:"why,omitempty"`
		Kinds       []string              `json:"kinds"`
		Permissions []string              `json:"permissions"`
		Consent     string                `json:"consent"`
		NotifyUser  bool                  `json:"notify_user"`
		Transport   string                `json:"transport"`
		Expires     time.Time             `json:"expires"`
	}
	attachedDetail struct {
		From  string `json:"from"`  // address
		Again bool   `json:"again"` // came back to the session
	}
	lostDetail struct {
		Endpoint   bool `json:"endpoint"`
		Technician bool `json:"technician"`
	}
	consentDetail struct {
		State   string `json:"state"`
		Desktop string `json:"desktop,omitempty"`
	}
	acceptedDetail struct {
		Capabilities []string `json:"capabilities"`
	}
	pathDetail struct {
		Rung   string `json:"rung"`
		Before string `json:"before,omitempty"`
	}
	channelDetail struct {
		Channel string `json:"channel"`
		Number  int    `json:"number"`
		Rung    string `json:"rung"`
	}
	changedDetail struct {
		Expires  time.Time `json:"expires"`
		MaxIdle  string    `json:"max_idle"`
		MaxBytes int64     `json:"max_bytes"`
	}
	endedDetail struct {
		Reason     string        `json:"reason"`
		Detail     string        `json:"detail,omitempty"`
		Seconds    int64         `json:"seconds"`
		BytesUp    int64         `json:"bytes_up"`
		BytesDown  int64         `json:"bytes_down"`
		Path       string        `json:"path,omitempty"`
		TURN       *turnDetail   `json:"turn,omitempty"`        // of its place on the TURN server
		TURNBefore []*turnDetail `json:"turn_before,omitempty"` // of those that it had before, the oldest first
	}
	refusedDetail struct {
		Why  string `json:"why"`
		Kind string `json:"kind,omitempty"` // of the channel, or kindRelay
	}
)

// kindRelay stands where what was refused came over the relay, which does not know the kinds of channels.
const kindRelay = "relay"

// entry makes an entry about the session.
func (l *live) entry(actor, action string, detail any) audit.Entry {
	return entryOf(l.key.Domain, actor, action, l.id.String(), detail)
}

func entryOf(domain, actor, action, subject string, detail any) audit.Entry {
	e := audit.Entry{At: clock(), Domain: domain, Actor: actor, Action: action, Subject: subject}
	if detail != nil {
		e.Detail, _ = json.Marshal(detail) // structs of texts and numbers: it cannot fail
	}
	return e
}

// refuse counts what was refused and has it written. It does not block.
func (s *Service) refuse(e audit.Entry, why string) {
	s.metrics.refused.WithLabelValues(why).Inc()
	if err := s.deps.Audit.Record(context.Background(), e); err != nil {
		s.log.Warn("a refusal is missing in the audit", telemetry.Reason(why), telemetry.Cause(err))
	}
}

func (s *Service) drop(why string) { s.metrics.dropped.WithLabelValues(why).Inc() }
