package login

// Namespaces and conditions on the wire.
const (
	nsManagement   = "urn:xmpp:sm:3"          // XEP-0198
	nsHint         = "urn:signalbox:stream:1" // the server's hint in a stream error
	nsStreamErrors = "urn:ietf:params:xml:ns:xmpp-streams"
	nsSASL         = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsTLS          = "urn:ietf:params:xml:ns:xmpp-tls"
	nsStanzas      = "urn:ietf:params:xml:ns:xmpp-stanzas"

	// ConditionConflict says that a newer session has the identity.
	ConditionConflict = "conflict"
	conditionSeeOther = "see-other-host"
)
