package signalling

import "time"

// Grant is what the server allows in one session. It is signed by the server's identity key, so that an endpoint does what its own server allows and nothing else, whoever
// carries the message.
type Grant struct {
	ID          string        `json:"id"`       // of the session
	Endpoint    string        `json:"endpoint"` // bare JID
	Technician  Technician    `json:"technician"`
	Why         string        `json:"why,omitempty"` // what the technician or the management server gave as the reason
	Kinds       []string      `json:"kinds"`         // channels that may be opened: "terminal", "files", "processes", "desktop"
	Permissions []string      `json:"permissions"`   // channel.Permission
	Consent     ConsentMode   `json:"consent"`
	NotifyUser  bool          `json:"notify_user"` // whether the user is shown that a session runs
	Transport   string        `json:"transport"`   // TransportAuto ...
	Issued      time.Time     `json:"issued"`
	Expires     time.Time     `json:"expires"`    // the session ends then
	Idle        time.Duration `json:"idle"`       // the session ends after so long without anything from the technician; 0: never
	MaxBytes    int64         `json:"max_bytes"`  // through the relay; 0: no bound
	RelayHosts  []string      `json:"relay_urls"` // beginnings of URLs that a Relay message may name: "wss://HOST/relay/"
}

// Technician is who takes part.
type Technician struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Bounds of the time in which a user answers: of what may be asked for, of what an endpoint waits, and of how long its window stands.
const (
	MinConsent = 5 * time.Second
	MaxConsent = 10 * time.Minute
)

// ConsentMode says whether the user is asked.
type ConsentMode struct {
	Mode    string        `json:"mode"` // ConsentNone, ConsentAskAllow, ConsentAskDeny
	Timeout time.Duration `json:"timeout"`
	Message string        `json:"message,omitempty"` // instead of our own question
}

// Modes of consent, and transports.
const (
	ModeNone     = "none"      // nobody is asked
	ModeAskAllow = "ask_allow" // no answer allows
	ModeAskDeny  = "ask_deny"  // no answer denies

	TransportAuto      = "auto"
	TransportTURNOnly  = "turn_only"
	TransportRelayOnly = "websocket_only"
)
