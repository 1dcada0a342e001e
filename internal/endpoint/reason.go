package endpoint

// Reason is a named end of a session: logs, metrics, API and docs use Name. The zero value means "not ended".
type Reason struct {
	Name      string // stable, lower case with underscores
	Condition string // stream error of RFC 6120 section 4.9.3 sent to the peer; empty: the stream is closed without an error
	Retry     bool   // whether the endpoint should come back by itself
	Doc       string // what happened and what to do, one sentence
}

// String returns the reason's name.
func (r Reason) String() string { return r.Name }

// Reasons for the end of a stream or session.
var (
	ReasonClosedByPeer     = Reason{"closed_by_peer", "", true, "The endpoint closed its stream properly."}
	ReasonConnectionLost   = Reason{"connection_lost", "", true, "The connection ended or failed without a closing tag; look at the network between the endpoint and us."}
	ReasonSilent           = Reason{"silent", "connection-timeout", true, "Nothing was received within the liveness time: the machine sleeps, lost its network, or a firewall dropped the connection."}
	ReasonReplaced         = Reason{"replaced", "conflict", false, "A newer session of the same endpoint took over; if this repeats, two machines share one identity."}
	ReasonCloned           = Reason{"cloned", "conflict", true, "Another machine is logged in with this identity and answers, so this one was refused; register it under an id of its own, or give the endpoint a new secret and tell it to the right machine alone."}
	ReasonSlowReader       = Reason{"slow_reader", "policy-violation", true, "The endpoint did not take what was sent to it within the write limit."}
	ReasonQueueFull        = Reason{"queue_full", "resource-constraint", true, "Too many bytes waited for the endpoint's acknowledgement (XEP-0198)."}
	ReasonResumeExpired    = Reason{"resume_expired", "", true, "The connection was lost and the endpoint did not resume its session in time."}
	ReasonHandshakeTimeout = Reason{"handshake_timeout", "connection-timeout", true, "Login was not finished within the limit."}
	ReasonStanzaTimeout    = Reason{"stanza_timeout", "policy-violation", true, "A stanza was begun and not finished within the limit."}
	ReasonNotWellFormed    = Reason{"not_well_formed", "not-well-formed", false, "The endpoint sent XML that is not well-formed."}
	ReasonRestrictedXML    = Reason{"restricted_xml", "restricted-xml", false, "The endpoint sent a comment, processing instruction, DTD or entity (RFC 6120 section 11.1)."}
	ReasonInvalidXML       = Reason{"invalid_xml", "invalid-xml", false, "The endpoint sent an element where the protocol has no place for it."}
	ReasonEncoding         = Reason{"unsupported_encoding", "unsupported-encoding", false, "The stream is not in UTF-8."}
	ReasonTooBig           = Reason{"too_big", "policy-violation", false, "A stanza was larger, deeper or wider than the limits allow, or a WebSocket carried too many frames for it."}
	ReasonFlood            = Reason{"flood", "policy-violation", true, "The endpoint sent more per second than the limits allow."}
	ReasonBadNamespace     = Reason{"invalid_namespace", "invalid-namespace", false, "The stream header has the wrong namespace."}
	ReasonBadPrefix        = Reason{"bad_namespace_prefix", "bad-namespace-prefix", false, "The stream header has the wrong prefix."}
	ReasonBadVersion       = Reason{"unsupported_version", "unsupported-version", false, "The stream header has no version, or one that is not 1.0."}
	ReasonHostUnknown      = Reason{"host_unknown", "host-unknown", false, "The stream is addressed to a domain that is not served here; check the endpoint's domain."}
	ReasonAddressing       = Reason{"improper_addressing", "improper-addressing", false, "The stream header has no usable 'to'."}
	ReasonInvalidFrom      = Reason{"invalid_from", "invalid-from", false, "The endpoint sent a stanza in another's name."}
	ReasonNotAuthorized    = Reason{"not_authorized", "not-authorized", false, "Something other than login was sent before login."}
	ReasonAuthFailed       = Reason{"auth_failed", "policy-violation", false, "Login failed too often; check the endpoint's id and secret."}
	ReasonUnsupported      = Reason{"unsupported_stanza_type", "unsupported-stanza-type", false, "The endpoint sent a top-level element that is not known."}
	ReasonBadAck           = Reason{"bad_ack", "undefined-condition", false, "The endpoint acknowledged more stanzas than it was sent, or sent an unreadable count (XEP-0198)."}
	ReasonTLSFailed        = Reason{"tls_failed", "", true, "The TLS handshake after STARTTLS failed."}
	ReasonDisconnected     = Reason{"disconnected", "reset", true, "An operator or the management server ended the session."}
	ReasonDisabled         = Reason{"endpoint_disabled", "not-authorized", false, "The endpoint was disabled."}
	ReasonDeleted          = Reason{"endpoint_deleted", "not-authorized", false, "The endpoint was deleted."}
	ReasonSecretChanged    = Reason{"secret_changed", "reset", true, "The endpoint's secret was changed."}
	ReasonShutdown         = Reason{"shutdown", "system-shutdown", true, "This server stops; come back to it or to another node."}
	ReasonMoved            = Reason{"moved", "see-other-host", true, "This server stops and sends its endpoints to another one (drain.other_host)."}
	ReasonRestarted        = Reason{"server_restarted", "", true, "The server was restarted; the session did not survive it."}
	ReasonNotStored        = Reason{"not_stored", "resource-constraint", true, "What the endpoint answered could not be stored; it will send it again when it is back. Look at the server's disk and log."}
	ReasonComponentTaken   = Reason{"component_taken", "conflict", true, "A component of this name is connected already, and stays; if it is not the same program, one of the two has another's name."}
	ReasonUnaddressed      = Reason{"unaddressed", "improper-addressing", false, "A component sent a stanza without from or to (XEP-0114 section 3)."}
	ReasonBadHandshake     = Reason{"bad_handshake", "not-authorized", false, "A component's handshake (XEP-0114) was not made with the secret of that component; compare both sides."}
	ReasonSessionOver      = Reason{"remote_session_over", "", false, "The remote session of a technician who was logged in over XMPP has ended."}
	ReasonInternal         = Reason{"internal_error", "internal-server-error", true, "The server could not go on with this session; see its log."}
)

// Reasons returns the catalogue, for metrics that exist at zero and for the docs.
func Reasons() []Reason {
	return []Reason{
		ReasonClosedByPeer, ReasonConnectionLost, ReasonSilent, ReasonReplaced, ReasonCloned, ReasonSlowReader, ReasonQueueFull, ReasonResumeExpired,
		ReasonHandshakeTimeout, ReasonStanzaTimeout, ReasonNotWellFormed, ReasonRestrictedXML, ReasonInvalidXML, ReasonEncoding, ReasonTooBig, ReasonFlood,
		ReasonBadNamespace, ReasonBadPrefix, ReasonBadVersion, ReasonHostUnknown, ReasonAddressing, ReasonInvalidFrom, ReasonNotAuthorized, ReasonAuthFailed,
		ReasonUnsupported, ReasonBadAck, ReasonTLSFailed, ReasonDisconnected, ReasonDisabled, ReasonDeleted, ReasonSecretChanged, ReasonShutdown,
		ReasonMoved, ReasonRestarted, ReasonNotStored, ReasonComponentTaken, ReasonUnaddressed, ReasonBadHandshake, ReasonSessionOver,
		ReasonInternal,
	}
}
