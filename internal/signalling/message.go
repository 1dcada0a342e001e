// Package signalling holds what the parties of a remote session say to each other through the server: one protocol in two spellings, XML on an XMPP stream and JSON on a
// WebSocket (docs/PROTOCOL.md), read strictly and within limits, without I/O.
package signalling

import "time"

// Namespace is that of the XML spelling.
const Namespace = "urn:signalbox:session:1"

// Message is one of the structs below. In JSON each is an object whose members are the fields by their tags, with "type" beside them, which is its Name; in XML an element of
// Namespace with that name.
type Message interface {
	Name() string      // "offer"
	SessionID() string // "ses_...", the member or attribute "id"
}

// About is the session that a message is about; part of every message.
type About struct {
	ID string `json:"id"`
}

// SessionID implements Message.
func (a About) SessionID() string { return a.ID }

// Attach takes the technician's side of a session: the first message on a WebSocket. Technician to server.
type Attach struct {
	About
	Token    string `json:"token,omitempty"`    // for one use, of POST /v1/sessions or the console
	Reattach string `json:"reattach,omitempty"` // instead of a token: what State gave before the connection was lost
}

// State is all that a technician has to know: the answer to Attach, and again when something of it changed. Server to technician.
type State struct {
	About
	State       string      `json:"state"`            // remote.State: "requested" ... "ended"
	Reason      string      `json:"reason,omitempty"` // of the end
	Detail      string      `json:"detail,omitempty"` // a sentence about it
	Endpoint    string      `json:"endpoint"`         // id
	Technician  string      `json:"technician"`       // name
	Kinds       []string    `json:"kinds"`
	Permissions []string    `json:"permissions"`
	Transport   string      `json:"transport"`
	Consent     string      `json:"consent,omitempty"`       // the last Consent.State
	ConsentEnds *time.Time  `json:"consent_ends,omitempty"`  // while the user is asked
	Desktop     string      `json:"desktop,omitempty"`       // the last Consent.Desktop
	Expires     time.Time   `json:"expires"`                 // of the whole session
	Returns     *time.Time  `json:"returns_until,omitempty"` // while reconnecting: when the session ends unless who is missing is back
	Watchers    []string    `json:"watchers"`                // names of technicians who are attached
	Peer        int         `json:"peer,omitempty"`          // number of the last PeerConnection, whoever offered it: the next one has a greater; 0: there was none
	Servers     []ICEServer `json:"ice_servers,omitempty"`   // in the answer to Attach only
	Reattach    string      `json:"reattach,omitempty"`      // likewise; valid until the next Attach
}

// ICEServer is one STUN or TURN server, as RTCIceServer of WebRTC has it.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// Offer asks an endpoint for a session, or tells it of one that goes on after a restart of the server. Server to endpoint.
type Offer struct {
	About
	Grant   string      `json:"grant"` // see Seal
	Servers []ICEServer `json:"ice_servers,omitempty"`
}

// ICE replaces the servers of an earlier State or Offer. Server to both.
type ICE struct {
	About
	Servers []ICEServer `json:"ice_servers"`
}

// Consent says how the user at the endpoint was asked. Endpoint to technician.
type Consent struct {
	About
	State   string `json:"state"`             // ConsentAsking ...
	Seconds int    `json:"seconds,omitempty"` // until the question answers itself; while asking
	Desktop string `json:"desktop,omitempty"` // DesktopNone ...
}

// States of consent and of the desktop that a question finds.
const (
	ConsentNotNeeded = "not_needed"
	ConsentAsking    = "asking"
	ConsentAllowed   = "allowed"
	ConsentDenied    = "denied"
	ConsentTimedOut  = "timed_out" // or the question could not be shown; with what the mode makes of it: an Accept or a Deny follows
	ConsentNobody    = "nobody"    // there was nobody to ask; an Accept or a Deny follows

	DesktopNone    = "none"    // nobody is logged in
	DesktopLocked  = "locked"  // somebody is, with a locked screen
	DesktopActive  = "active"  // somebody is
	DesktopUnknown = "unknown" // this system does not tell
)

// Accept takes a session, or says after a reconnect that it goes on. Endpoint to technician.
type Accept struct {
	About
	Capabilities []string `json:"capabilities"` // channels that the endpoint has: "terminal", "files", "processes", "system", "desktop"
	Resumed      bool     `json:"resumed,omitempty"`
	Peer         int      `json:"peer,omitempty"` // number of the last PeerConnection that the endpoint has answered; 0: none
}

// Deny refuses a session, which ends by it. Endpoint to technician.
type Deny struct {
	About
	Reason string `json:"reason"` // a reason of remote's catalogue: "consent_denied", "consent_timeout", "grant_refused", "busy", "not_supported"
	Detail string `json:"detail,omitempty"`
}

// SDP is a session description of WebRTC. The technician offers, the endpoint answers; a further offer is an ICE restart or a new PeerConnection. Both ways.
type SDP struct {
	About
	Kind string `json:"kind"` // SDPOffer or SDPAnswer
	SDP  string `json:"sdp"`
	Peer int    `json:"peer"` // which PeerConnection it is about: counted by the technician from 1, a greater one replaces that before
}

// Kinds of session descriptions.
const (
	SDPOffer  = "offer"
	SDPAnswer = "answer"
)

// Candidate is an ICE candidate, or their end. Both ways.
type Candidate struct {
	About
	Candidate string `json:"candidate"` // empty: there are no more
	Mid       string `json:"mid"`
	Line      int    `json:"line"` // index of the media description
	Peer      int    `json:"peer"`
}

// Relay joins the parties by two WebSockets on 443 for one channel. The technician asks with a channel and a number of its own; the server answers both sides with a URL each.
type Relay struct {
	About
	Channel string `json:"channel"`       // "files"
	Number  int    `json:"number"`        // tells apart channels of the same name
	URL     string `json:"url,omitempty"` // server to both: wss://HOST/relay/TICKET, for one use within RelayTicketLife
}

// Path says by which way the parties reach each other, when that changes and every PathInterval. Both to server, which tells it the other party.
type Path struct {
	About
	Rung   string   `json:"rung"`             // Rungs: "direct" ...; empty: none at present
	RTT    int      `json:"rtt_ms,omitempty"` // milliseconds
	Up     int64    `json:"bytes_up"`         // from technician to endpoint, since the session began, files included
	Down   int64    `json:"bytes_down"`
	Idle   int      `json:"idle_seconds"` // since the technician last did something
	Failed []Failed `json:"failed,omitempty"`
}

// Failed is a better rung that does not work, and why.
type Failed struct {
	Rung string `json:"rung"`
	Why  string `json:"why"`
}

// The rungs of the ladder, the best first.
const (
	RungDirect  = "direct"
	RungTURNUDP = "turn_udp"
	RungTURNTCP = "turn_tcp"
	RungTURNTLS = "turn_tls"
	RungRelay   = "relay"
)

// Blocked says that the endpoint has refused what the technician asked for on a channel: once in a session for each kind of channel and why, and again after a login. Endpoint to
// server, which has it written into the audit trail.
type Blocked struct {
	About
	Channel string `json:"channel"` // "files"
	Why     string `json:"why"`     // BlockedPath ...; there may be others one day
}

// Why an endpoint refuses what a technician asks for.
const (
	BlockedPath       = "path"       // a path that leads out of the folder of sessions, or up by ".."
	BlockedMalformed  = "malformed"  // a message that breaks the rules of its channel, which ended by it
	BlockedPermission = "permission" // the session, or the endpoint's own configuration, does not allow it
)

// Restarted says that a TURN process has taken the place of the one before and serves the session: what went over that is lost. The technician restarts ICE at once where their way
// did, instead of waiting until that shows. Server to both.
type Restarted struct{ About }

// End ends a session. Both ways, and from the server to both.
type End struct {
	About
	Reason string `json:"reason"`
	Detail string `json:"detail,omitempty"`
}

// Names of the messages.
func (Attach) Name() string    { return "attach" }
func (State) Name() string     { return "state" }
func (Offer) Name() string     { return "offer" }
func (ICE) Name() string       { return "ice" }
func (Consent) Name() string   { return "consent" }
func (Accept) Name() string    { return "accept" }
func (Deny) Name() string      { return "deny" }
func (SDP) Name() string       { return "sdp" }
func (Candidate) Name() string { return "candidate" }
func (Relay) Name() string     { return "relay" }
func (Path) Name() string      { return "path" }
func (Blocked) Name() string   { return "blocked" }
func (Restarted) Name() string { return "restarted" }
func (End) Name() string       { return "end" }

// Bounds of the protocol, in bytes but for MaxList. What is not named here is MaxText at most.
const (
	MaxMessage   = 96 << 10 // a whole message in either spelling; an element is counted without the iq around it
	MaxSDP       = 64 << 10
	MaxCandidate = 1 << 10
	MaxGrant     = 8 << 10
	MaxURL       = 1 << 10
	MaxSentence  = 1 << 10 // a reason or an explanation for people; what is longer is cut when it is written
	MaxText      = 256
	MaxName      = 64 // of a channel, a permission or a reason: a-z, 0-9 and . _ -
	MaxList      = 16 // entries
)

// Times of the protocol.
const (
	PathInterval    = 10 * time.Second
	RelayTicketLife = 30 * time.Second
	AttachWithin    = 60 * time.Second // a technician's token
	ReturnWithin    = 60 * time.Second // how long a session waits for a party that was lost
)
