package api

import (
	"net/url"
	"strings"
	"time"

	"signalbox/internal/remote"
	"signalbox/internal/signalling"
)

type sessionCreate struct {
	Endpoint    string            `json:"endpoint" minLength:"1" maxLength:"256" doc:"Id of the endpoint." example:"pc-1"`
	Technician  sessionTechnician `json:"technician" doc:"Who takes part, by an id that the management server chooses; limits are counted by it, and the audit trail names it."`
	Why         *string           `json:"why,omitempty" maxLength:"500" doc:"What the session is for, such as the number of a ticket; the user at the endpoint and the audit trail get it." example:"ticket 4711"`
	Kinds       []string          `json:"kinds" nullable:"false" minItems:"1" maxItems:"4" enum:"desktop,terminal,files,processes" doc:"Channels that may be opened."`
	Permissions []string          `json:"permissions,omitempty" nullable:"false" maxItems:"7" enum:"terminal.type,files.read,files.write,processes.read,processes.kill,desktop.view,desktop.control" doc:"What may be done on them; absent: all that the kinds have."`
	Consent     *sessionConsent   `json:"consent,omitempty" doc:"Whether the user at the endpoint is asked; absent: as session.consent says."`
	NotifyUser  *bool             `json:"notify_user,omitempty" doc:"Whether users at the endpoint are shown that a session runs, with a button that ends it; absent: true. They can end it in any case."`
	Transport   *string           `json:"transport,omitempty" enum:"auto,turn_only,websocket_only" doc:"Which ways the parties may use to reach each other; absent: auto, the best that works."`
	MaxDuration *int              `json:"max_duration,omitempty" minimum:"60" maximum:"86400" doc:"Seconds after which it ends, up to session.max_duration; absent: session.duration."`
	MaxIdle     *int              `json:"max_idle,omitempty" minimum:"60" maximum:"86400" doc:"Seconds without anything from the technician after which it ends, up to session.max_idle; absent: that."`
	MaxBytes    *int              `json:"max_bytes,omitempty" minimum:"0" doc:"Bytes that may go through the relay, files among them; 0 or absent: no bound."`
}

type sessionTechnician struct {
	ID   string `json:"id" minLength:"1" maxLength:"64" example:"ann"`
	Name string `json:"name,omitempty" maxLength:"128" doc:"That the user at the endpoint is shown; absent: the id." example:"Ann Lee"`
}

type sessionConsent struct {
	Mode    *string `json:"mode,omitempty" enum:"none,ask_allow,ask_deny" doc:"none: nobody is asked; ask_allow: no answer allows, as does a desktop with nobody there; ask_deny: no answer denies."`
	Timeout *int    `json:"timeout,omitempty" minimum:"5" maximum:"600" doc:"Seconds that the user has; absent: session.consent_timeout."`
	Message *string `json:"message,omitempty" maxLength:"500" doc:"What the user is asked, instead of the agent's own question."`
}

// spec makes what the domain takes of a request; most bounds it leaves to the domain.
func (b *sessionCreate) spec() (remote.Spec, *Problem) {
	var errs []FieldError
	seconds := func(pointer string, n *int) time.Duration {
		if n != nil && (*n < 1 || *n > maxSessionSeconds) { // 0 would stand for the default
			errs = append(errs, FieldError{Pointer: pointer, Detail: "it is 60 to 86400 seconds"})
			return 0
		}
		return time.Duration(value(n)) * time.Second
	}
	s := remote.Spec{
		Endpoint: b.Endpoint, Technician: signalling.Technician{ID: b.Technician.ID, Name: b.Technician.Name}, Why: value(b.Why), Kinds: b.Kinds, Permissions: b.Permissions,
		NotifyUser: b.NotifyUser == nil || *b.NotifyUser, Transport: value(b.Transport), MaxDuration: seconds("/max_duration", b.MaxDuration),
		MaxIdle: seconds("/max_idle", b.MaxIdle), MaxBytes: int64(value(b.MaxBytes)),
	}
	if c := b.Consent; c != nil {
		s.Consent = signalling.ConsentMode{Mode: value(c.Mode), Timeout: seconds("/consent/timeout", c.Timeout), Message: value(c.Message)}
	}
	if b.Endpoint == "" {
		errs = append(errs, FieldError{Pointer: "/endpoint", Detail: "it is missing: the id of an endpoint"})
	}
	if b.Permissions != nil && len(b.Permissions) == 0 {
		errs = append(errs, FieldError{Pointer: "/permissions", Detail: "it is empty: leave it out for all that the kinds have"})
	}
	if errs != nil {
		return remote.Spec{}, validationFailed.problem("", errs...)
	}
	return s, nil
}

const maxSessionSeconds = 86400

type sessionChange struct {
	MaxDuration *int `json:"max_duration,omitempty" minimum:"60" maximum:"86400" doc:"Seconds from its begin after which it ends, up to session.max_duration."`
	MaxIdle     *int `json:"max_idle,omitempty" minimum:"60" maximum:"86400" doc:"Seconds without anything from the technician after which it ends, up to session.max_idle."`
	MaxBytes    *int `json:"max_bytes,omitempty" minimum:"0" doc:"Bytes that may go through the relay; 0: no bound."`
}

func (b *sessionChange) change() (c remote.Change) {
	seconds := func(n *int) *time.Duration {
		if n == nil {
			return nil
		}
		d := time.Duration(max(-1, min(*n, maxSessionSeconds+1))) * time.Second // what is beyond is refused, and must not overflow
		return &d
	}
	c.MaxDuration, c.MaxIdle = seconds(b.MaxDuration), seconds(b.MaxIdle)
	if b.MaxBytes != nil {
		n := int64(*b.MaxBytes)
		c.MaxBytes = &n
	}
	return c
}

type sessionBody struct {
	_            struct{}       `additionalProperties:"true"`
	ID           string         `json:"id" example:"ses_0123456789abc"`
	State        remote.State   `json:"state" enum:"requested,waiting_for_consent,connecting,active,reconnecting,ended"`
	Reason       string         `json:"reason,omitempty" doc:"Why it ended; the page API.md has all reasons."`
	Detail       string         `json:"detail,omitempty" doc:"What the party that ended it said about that."`
	Endpoint     string         `json:"endpoint"`
	Technician   technicianBody `json:"technician"`
	OpenedBy     string         `json:"opened_by" doc:"Name of the API token or of the console's account."`
	Why          string         `json:"why,omitempty"`
	Kinds        []string       `json:"kinds" nullable:"false"`
	Permissions  []string       `json:"permissions" nullable:"false"`
	Consent      sessionAsked   `json:"consent"`
	NotifyUser   bool           `json:"notify_user"`
	Transport    string         `json:"transport"`
	MaxDuration  int64          `json:"max_duration" doc:"Seconds."`
	MaxIdle      int64          `json:"max_idle,omitempty" doc:"Seconds; absent: it ends by no idleness."`
	MaxBytes     int64          `json:"max_bytes,omitempty" doc:"Absent: no bound."`
	CreatedAt    time.Time      `json:"created_at"`
	ExpiresAt    time.Time      `json:"expires_at" doc:"When it ends by itself."`
	AcceptedAt   *time.Time     `json:"accepted_at,omitempty" doc:"When the endpoint accepted it."`
	ActiveAt     *time.Time     `json:"active_at,omitempty" doc:"When the parties first reached each other."`
	EndedAt      *time.Time     `json:"ended_at,omitempty"`
	Path         string         `json:"path,omitempty" doc:"How the parties reach each other, or did last: direct, turn_udp, turn_tcp, turn_tls, relay."`
	Capabilities []string       `json:"capabilities" nullable:"false" doc:"Channels that the endpoint has, once it has accepted."`
	BytesUp      int64          `json:"bytes_up" doc:"From the technician to the endpoint, as the parties last said."`
	BytesDown    int64          `json:"bytes_down"`
	TURNSession  string         `json:"turn_session,omitempty" doc:"Its session on the TURN server, the last if it had several: GET /v1/turn/sessions/{id} has its counters. Absent: it has none." example:"trn_0123456789abc"`
}

type technicianBody struct {
	_    struct{} `additionalProperties:"true"`
	ID   string   `json:"id"`
	Name string   `json:"name,omitempty"`
}

func showTechnician(t signalling.Technician) technicianBody {
	return technicianBody{ID: t.ID, Name: t.Name}
}

type sessionAsked struct {
	_       struct{} `additionalProperties:"true"`
	Mode    string   `json:"mode" enum:"none,ask_allow,ask_deny"`
	Timeout int64    `json:"timeout" doc:"Seconds that the user has."`
	Message string   `json:"message,omitempty"`
	State   string   `json:"state,omitempty" doc:"What came of it: not_needed, asking, allowed, denied, timed_out, nobody (there was nobody to ask)."`
	Desktop string   `json:"desktop,omitempty" doc:"Who was there: none, locked, active, unknown."`
}

// sessionGrantBody is what lets a technician in, once.
type sessionGrantBody struct {
	_              struct{}       `additionalProperties:"true"`
	ID             string         `json:"id" example:"ses_0123456789abc"`
	State          remote.State   `json:"state" enum:"requested,waiting_for_consent,connecting,active,reconnecting,ended"`
	Endpoint       string         `json:"endpoint"`
	Technician     technicianBody `json:"technician"`
	ExpiresAt      time.Time      `json:"expires_at" doc:"When the session ends by itself."`
	Token          string         `json:"token" doc:"Of the technician, for one use."`
	TokenExpiresAt time.Time      `json:"token_expires_at"`
	ConsoleURL     string         `json:"console_url" doc:"A page for the technician's browser, with the token behind #, where no log sees it." example:"https://push.example.com/console/#/session/ses_0123456789abc/..."`
	SignallingURL  string         `json:"signalling_url" doc:"The WebSocket of other clients; PROTOCOL.md has what they say." example:"wss://push.example.com/console/signal"`
	ICEServers     []iceServer    `json:"ice_servers" nullable:"false" doc:"For the technician, as browsers take them; empty where there is no TURN server."`
}

type iceServer struct {
	_          struct{} `additionalProperties:"true"`
	URLs       []string `json:"urls" nullable:"false"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// consolePage is the console's page of a session, which takes the token as well; all of it behind #, which browsers keep to themselves.
const consolePage = "/console/#/session/"

func (s *Server) showOpened(o *remote.Opened) sessionGrantBody {
	b := sessionGrantBody{
		ID: o.ID.String(), State: o.State, Endpoint: o.Endpoint, Technician: showTechnician(o.Technician), ExpiresAt: utc(o.Expires), Token: o.Token,
		TokenExpiresAt: utc(o.TokenExpires), ICEServers: []iceServer{},
	}
	base := s.deps.Web()
	b.ConsoleURL = base + consolePage + b.ID + "/" + url.PathEscape(o.Token)
	b.SignallingURL = "ws" + strings.TrimPrefix(base, "http") + remote.SignalPath
	for _, server := range o.Servers {
		b.ICEServers = append(b.ICEServers, iceServer{URLs: server.URLs, Username: server.Username, Credential: server.Credential})
	}
	return b
}

func showSession(s *remote.Session) sessionBody {
	b := sessionBody{
		ID: s.ID.String(), State: s.State, Reason: s.Reason, Detail: s.Detail, Endpoint: s.Endpoint, Technician: showTechnician(s.Technician),
		OpenedBy: s.By.Name, Why: s.Why, Kinds: append([]string{}, s.Kinds...), Permissions: append([]string{}, s.Permissions...), NotifyUser: s.NotifyUser, Transport: s.Transport,
		Consent:     sessionAsked{Mode: s.Spec.Consent.Mode, Timeout: int64(s.Spec.Consent.Timeout / time.Second), Message: s.Spec.Consent.Message, State: s.Consent, Desktop: s.Desktop},
		MaxDuration: int64(s.MaxDuration / time.Second), MaxIdle: int64(s.MaxIdle / time.Second), MaxBytes: s.MaxBytes, CreatedAt: utc(s.Created), ExpiresAt: utc(s.Expires),
		AcceptedAt: showTime(s.Accepted), ActiveAt: showTime(s.Active), EndedAt: showTime(s.Ended), Path: s.Rung, Capabilities: append([]string{}, s.Capabilities...),
		BytesUp: s.BytesUp, BytesDown: s.BytesDown,
	}
	if s.Turn != 0 {
		b.TURNSession = s.Turn.String()
	}
	return b
}
