package remotesessions

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"signalbox/internal/remote"
	"signalbox/internal/signalling"
	"signalbox/internal/store/direct"
	"signalbox/internal/turnsession"
)

// record is what of a remote.Session stands in no column that is read, as it is stored: a name never changes its meaning.
type record struct {
	TechnicianName string                 `json:"technician_name"`
	Why            string                 `json:"why,omitempty"`
	Kinds          []string               `json:"kinds"`
	Permissions    []string               `json:"permissions,omitempty"`
	Mode           signalling.ConsentMode `json:"mode"`
	NotifyUser     bool                   `json:"notify_user,omitempty"`
	Transport      string                 `json:"transport"`
	MaxDuration    time.Duration          `json:"max_duration"`
	MaxIdle        time.Duration          `json:"max_idle,omitempty"`
	MaxBytes       int64                  `json:"max_bytes,omitempty"`
	By             remote.Caller          `json:"by"`
	Reason         string                 `json:"reason,omitempty"`
	Detail         string                 `json:"detail,omitempty"`
	Created        time.Time              `json:"created"`
	Accepted       time.Time              `json:"accepted,omitzero"`
	Active         time.Time              `json:"active,omitzero"`
	Ended          time.Time              `json:"ended,omitzero"`
	Expires        time.Time              `json:"expires"`
	Consent        string                 `json:"consent,omitempty"`
	Desktop        string                 `json:"desktop,omitempty"`
	Rung           string                 `json:"rung,omitempty"`
	Capabilities   []string               `json:"capabilities,omitempty"`
	BytesUp        int64                  `json:"bytes_up,omitempty"`
	BytesDown      int64                  `json:"bytes_down,omitempty"`
	Turn           turnsession.ID         `json:"turn,omitempty"`
	TurnBefore     []remote.Place         `json:"turn_before,omitempty"` // up to remote.MaxTURNBefore
	Secrets        remote.Secrets         `json:"secrets"`
}

func encode(s *remote.Session) (string, error) {
	text, err := json.Marshal(record{
		s.Technician.Name, s.Why, s.Kinds, s.Permissions, s.Spec.Consent, s.NotifyUser, s.Transport, s.MaxDuration, s.MaxIdle, s.MaxBytes, s.By, s.Reason, s.Detail,
		s.Created, s.Accepted, s.Active, s.Ended, s.Expires, s.Consent, s.Desktop, s.Rung, s.Capabilities, s.BytesUp, s.BytesDown, s.Turn, s.TurnBefore, s.Secrets,
	})
	if err != nil {
		return "", fmt.Errorf("encode remote session: %w", err)
	}
	return string(text), nil
}

// sessionOf reads the columns of selectSession.
func sessionOf(row []driver.Value) (remote.Session, error) {
	var r record
	id := remote.ID(direct.Int(row[0]))
	if err := json.Unmarshal([]byte(direct.Text(row[5])), &r); err != nil {
		return remote.Session{}, fmt.Errorf("read %s: %w", id, err)
	}
	return remote.Session{
		ID: id, Domain: direct.Text(row[1]), By: r.By, State: remote.State(direct.Text(row[4])), Reason: r.Reason, Detail: r.Detail,
		Spec: remote.Spec{
			Endpoint: direct.Text(row[2]), Technician: signalling.Technician{ID: direct.Text(row[3]), Name: r.TechnicianName}, Why: r.Why, Kinds: r.Kinds, Permissions: r.Permissions,
			Consent: r.Mode, NotifyUser: r.NotifyUser, Transport: r.Transport, MaxDuration: r.MaxDuration, MaxIdle: r.MaxIdle, MaxBytes: r.MaxBytes,
		},
		Created: r.Created, Accepted: r.Accepted, Active: r.Active, Ended: r.Ended, Expires: r.Expires, Consent: r.Consent, Desktop: r.Desktop, Rung: r.Rung,
		Capabilities: r.Capabilities, BytesUp: r.BytesUp, BytesDown: r.BytesDown, Turn: r.Turn, TurnBefore: r.TurnBefore, Secrets: r.Secrets,
	}, nil
}
