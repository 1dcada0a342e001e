package signalling

import "strings"

// The fields of each message, in the order in which they are written.

const (
	maxNumber  = 1<<31 - 1
	maxCounter = 1<<53 - 1 // what a number of JavaScript holds exactly
	maxMillis  = 3600_000
	maxSeconds = 7 * 24 * 3600
	maxLine    = 1<<16 - 1
)

const (
	idPrefix   = "ses_"
	idDigits   = 13
	idAlphabet = "0123456789abcdefghjkmnpqrstvwxyz" // Crockford's base 32
)

// IsID reports whether a text has the form of a session's id: "ses_" and 13 digits of Crockford's base 32, in lower case.
func IsID(s string) bool {
	digits, ok := strings.CutPrefix(s, idPrefix)
	return ok && len(digits) == idDigits && strings.Trim(digits, idAlphabet) == ""
}

func checkID(s string) string {
	if !IsID(s) {
		return "it must be the id of a session"
	}
	return ""
}

func (a *About) fields(f *form) { f.scalar(field{name: "id"}, &a.ID, required, checkID) }

func (m *Attach) fields(f *form) {
	m.About.fields(f)
	f.text("token", &m.Token, 1, MaxText, optional)
	f.text("reattach", &m.Reattach, 1, MaxText, optional)
	if (m.Token == "") == (m.Reattach == "") {
		f.fail(MissingMember, "token", "either it or reattach must be there, and not both")
	}
}

func (m *State) fields(f *form) {
	m.About.fields(f)
	f.oneOf("state", &m.State, required, "requested", "waiting_for_consent", "connecting", "active", "reconnecting", "ended")
	f.name("reason", &m.Reason, optional)
	f.sentence("detail", &m.Detail)
	f.text("endpoint", &m.Endpoint, 1, MaxText, required)
	f.text("technician", &m.Technician, 0, MaxText, required)
	f.texts("kinds", "kind", &m.Kinds, required, checkName)
	f.texts("permissions", "permission", &m.Permissions, required, checkName)
	f.transport("transport", &m.Transport)
	f.consent("consent", &m.Consent, optional)
	f.maybe("consent_ends", &m.ConsentEnds)
	f.desktop("desktop", &m.Desktop)
	f.moment("expires", &m.Expires, required)
	f.maybe("returns_until", &m.Returns)
	f.texts("watchers", "watcher", &m.Watchers, required, within(0, MaxText))
	whole(f, "peer", &m.Peer, 0, maxNumber, optional)
	f.servers(&m.Servers, optional)
	f.text("reattach", &m.Reattach, 1, MaxText, optional)
}

func (m *Offer) fields(f *form) {
	m.About.fields(f)
	f.long("grant", child, &m.Grant, 1, MaxGrant)
	f.servers(&m.Servers, optional)
}

func (m *ICE) fields(f *form) {
	m.About.fields(f)
	f.servers(&m.Servers, required)
}

func (f *form) servers(at *[]ICEServer, n need) {
	parts(f, "ice_servers", "ice-server", at, n, (*ICEServer).fields)
}

func (s *ICEServer) fields(f *form) {
	f.texts("urls", "url", &s.URLs, required, within(1, MaxURL))
	f.text("username", &s.Username, 1, MaxText, optional)
	f.text("credential", &s.Credential, 1, MaxText, optional)
}

func (m *Consent) fields(f *form) {
	m.About.fields(f)
	f.consent("state", &m.State, required)
	whole(f, "seconds", &m.Seconds, 0, maxSeconds, optional)
	f.desktop("desktop", &m.Desktop)
}

func (f *form) consent(name string, at *string, n need) {
	f.oneOf(name, at, n, ConsentNotNeeded, ConsentAsking, ConsentAllowed, ConsentDenied, ConsentTimedOut, ConsentNobody)
}

func (f *form) desktop(name string, at *string) {
	f.oneOf(name, at, optional, DesktopNone, DesktopLocked, DesktopActive, DesktopUnknown)
}

func (f *form) transport(name string, at *string) {
	f.oneOf(name, at, required, TransportAuto, TransportTURNOnly, TransportRelayOnly)
}

func (m *Accept) fields(f *form) {
	m.About.fields(f)
	f.texts("capabilities", "capability", &m.Capabilities, required, checkName)
	f.flag("resumed", &m.Resumed, optional)
	whole(f, "peer", &m.Peer, 0, maxNumber, optional)
}

func (m *Deny) fields(f *form) {
	m.About.fields(f)
	f.name("reason", &m.Reason, required)
	f.sentence("detail", &m.Detail)
}

func (m *SDP) fields(f *form) {
	m.About.fields(f)
	f.oneOf("kind", &m.Kind, required, SDPOffer, SDPAnswer)
	f.long("sdp", body, &m.SDP, 1, MaxSDP)
	whole(f, "peer", &m.Peer, 1, maxNumber, required)
}

func (m *Candidate) fields(f *form) {
	m.About.fields(f)
	f.long("candidate", body, &m.Candidate, 0, MaxCandidate)
	f.text("mid", &m.Mid, 0, MaxText, required)
	whole(f, "line", &m.Line, 0, maxLine, required)
	whole(f, "peer", &m.Peer, 1, maxNumber, required)
}

func (m *Relay) fields(f *form) {
	m.About.fields(f)
	f.name("channel", &m.Channel, required)
	whole(f, "number", &m.Number, 0, maxNumber, required)
	f.text("url", &m.URL, 1, MaxURL, optional)
}

func (m *Path) fields(f *form) {
	m.About.fields(f)
	f.rung("rung", &m.Rung, "")
	whole(f, "rtt_ms", &m.RTT, 0, maxMillis, optional)
	whole(f, "bytes_up", &m.Up, 0, maxCounter, required)
	whole(f, "bytes_down", &m.Down, 0, maxCounter, required)
	whole(f, "idle_seconds", &m.Idle, 0, maxNumber, required)
	parts(f, "failed", "failed", &m.Failed, optional, (*Failed).fields)
}

func (v *Failed) fields(f *form) {
	f.rung("rung", &v.Rung)
	if f.out != nil {
		v.Why = clip(v.Why, MaxSentence)
	}
	f.text("why", &v.Why, 0, MaxSentence, required)
}

// rung is a rung of the ladder, or one of the others that stand in its place.
func (f *form) rung(name string, at *string, others ...string) {
	f.oneOf(name, at, required, append(others, RungDirect, RungTURNUDP, RungTURNTCP, RungTURNTLS, RungRelay)...)
}

func (m *Blocked) fields(f *form) {
	m.About.fields(f)
	f.name("channel", &m.Channel, required)
	f.name("why", &m.Why, required)
}

func (m *Restarted) fields(f *form) { m.About.fields(f) }

func (m *End) fields(f *form) {
	m.About.fields(f)
	f.name("reason", &m.Reason, required)
	f.sentence("detail", &m.Detail)
}
