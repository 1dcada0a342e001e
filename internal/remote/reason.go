package remote

// Reason is why a session ended.
type Reason struct {
	Name  string
	Again bool   // whether another session may succeed without anybody changing anything
	Doc   string // what happened and what to do
}

// The reasons.
var (
	ReasonTechnicianEnded    = Reason{"technician_ended", true, "The technician ended the session."}
	ReasonUserEnded          = Reason{"user_ended", false, "The user at the endpoint ended the session; talk to them before the next one."}
	ReasonManagementEnded    = Reason{"management_ended", true, "The management server or an operator ended the session over the API."}
	ReasonEndpointEnded      = Reason{"endpoint_ended", true, "The endpoint's agent ended the session, as it does when it is stopped or updated."}
	ReasonConsentDenied      = Reason{"consent_denied", false, "The user at the endpoint was asked and said no; talk to them before the next one."}
	ReasonConsentTimeout     = Reason{"consent_timeout", true, "Nobody answered the question at the endpoint in time, or nobody was there to ask, and the session needed an answer."}
	ReasonGrantRefused       = Reason{"grant_refused", false, "The endpoint does not believe that its own server asked: its clock is wrong, or it was enrolled with another server's identity key."}
	ReasonBusy               = Reason{"busy", true, "The endpoint has as many sessions as it takes; end one of them."}
	ReasonNotSupported       = Reason{"not_supported", false, "The endpoint's agent has none of the kinds that were asked for, or no remote sessions at all; look at its version and configuration."}
	ReasonNoAnswer           = Reason{"no_answer", true, "The endpoint is online and did not answer the request in time; its agent hangs, or is too old to know remote sessions."}
	ReasonEndpointOffline    = Reason{"endpoint_offline", true, "The endpoint went offline before it could be asked; look at its diagnosis."}
	ReasonEndpointLost       = Reason{"endpoint_lost", true, "The endpoint lost its connection and was not back within 60 seconds; look at its diagnosis."}
	ReasonTechnicianAbsent   = Reason{"technician_absent", true, "No technician used the token before it expired."}
	ReasonTechnicianLost     = Reason{"technician_lost", true, "The technician's connection was lost and not back within 60 seconds; the page was closed, or their network failed."}
	ReasonDurationLimit      = Reason{"duration_limit", true, "The session lasted as long as it may (max_duration)."}
	ReasonIdleLimit          = Reason{"idle_limit", true, "The technician did nothing for as long as that is allowed (max_idle)."}
	ReasonByteLimit          = Reason{"byte_limit", true, "As many bytes as allowed (max_bytes) went through the relay."}
	ReasonNoPath             = Reason{"no_path", true, "The parties found no way to each other, not even through the relay on port 443; the console says why each rung failed."}
	ReasonEndpointRemoved    = Reason{"endpoint_removed", false, "The endpoint was deleted or disabled."}
	ReasonTechnicianDisabled = Reason{"technician_disabled", false, "The technician's account was disabled."}
	ReasonNotOpened          = Reason{"not_opened", true, "The answer with the technician's token could not be given."}
)

// Reasons returns the catalogue, for metrics that exist at zero and for the docs.
func Reasons() []Reason {
	return []Reason{
		ReasonTechnicianEnded, ReasonUserEnded, ReasonManagementEnded, ReasonEndpointEnded, ReasonConsentDenied, ReasonConsentTimeout, ReasonGrantRefused, ReasonBusy,
		ReasonNotSupported, ReasonNoAnswer, ReasonEndpointOffline, ReasonEndpointLost, ReasonTechnicianAbsent, ReasonTechnicianLost, ReasonDurationLimit, ReasonIdleLimit,
		ReasonByteLimit, ReasonNoPath, ReasonEndpointRemoved, ReasonTechnicianDisabled, ReasonNotOpened,
	}
}

// FindReason returns the reason of a name; false: there is none.
func FindReason(name string) (Reason, bool) {
	for _, r := range Reasons() {
		if r.Name == name {
			return r, true
		}
	}
	return Reason{}, false
}

// What each party may give as the reason of an end; anything else counts as the last one.
var (
	endpointReasons = []Reason{
		ReasonUserEnded, ReasonConsentDenied, ReasonConsentTimeout, ReasonGrantRefused, ReasonBusy, ReasonNotSupported, ReasonDurationLimit, ReasonIdleLimit, ReasonByteLimit,
		ReasonNoPath, ReasonEndpointLost, ReasonTechnicianLost, ReasonEndpointEnded,
	}
	technicianReasons = []Reason{ReasonNoPath, ReasonTechnicianEnded}
	callerReasons     = []Reason{ReasonTechnicianEnded, ReasonTechnicianDisabled, ReasonNotOpened, ReasonManagementEnded}
)

// among returns the reason of a name if it is one of these, else the last of them.
func among(name string, some []Reason) Reason {
	for _, r := range some {
		if r.Name == name {
			return r
		}
	}
	return some[len(some)-1]
}
