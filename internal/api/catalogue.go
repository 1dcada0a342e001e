package api

import "net/http"

// The catalogue of problems. Pages, OpenAPI and tests are made from it; a code is never renamed.
var (
	malformedJSON = kind{"malformed_json", http.StatusBadRequest, "The body is not JSON",
		"Send one JSON document in UTF-8, nested at most 64 deep, with nothing behind it."}
	badRequest = kind{"bad_request", http.StatusBadRequest, "The request cannot be read",
		"Send the whole body, and a path without empty or dot segments."}
	tokenInQuery = kind{"token_in_query", http.StatusBadRequest, "A token stands in the URL",
		"URLs end in logs: send the token in the header 'Authorization: Bearer TOKEN', and revoke the one that was in the URL."}
	missingToken = kind{"missing_token", http.StatusUnauthorized, "No token",
		"Send 'Authorization: Bearer TOKEN'; 'signalbox token create' makes one."}
	invalidToken = kind{"invalid_token", http.StatusUnauthorized, "The token is not valid",
		"It is unknown or revoked, or it is not a bearer token; 'signalbox token list' shows the valid ones."}
	insufficientScope = kind{"insufficient_scope", http.StatusForbidden, "The token may not do this",
		"Use a token with the scope that the detail names."}
	sourceNotAllowed = kind{"source_not_allowed", http.StatusForbidden, "This address may not use the API",
		"Add the caller's address to api.allow_from."}
	notFound = kind{"not_found", http.StatusNotFound, "No such path",
		"Look the paths up at /docs."}
	unknownEndpoint = kind{"unknown_endpoint", http.StatusNotFound, "No such endpoint",
		"Register it with POST /v1/endpoints, or correct its id."}
	unknownPush = kind{"unknown_push", http.StatusNotFound, "No such push",
		"It was never accepted here, its endpoint was deleted, or it is too old to be kept."}
	noTargets = kind{"no_targets", http.StatusNotFound, "No endpoint matches",
		"Correct the group or the labels of 'to', or send 'late_joiners': true to reach endpoints that come to match."}
	unknownCampaign = kind{"unknown_campaign", http.StatusNotFound, "There is no such campaign",
		"GET /v1/campaigns lists those that there are; campaigns that are over are deleted with their pushes."}
	campaignState = kind{"campaign_state", http.StatusConflict, "The campaign is in a state that does not allow this",
		"Only a running campaign can be paused, only a paused one resumed, and one that is over is over; GET it to see where it is."}
	tooManyCampaigns = kind{"too_many_campaigns", http.StatusTooManyRequests, "Too many campaigns are under way",
		"There may be 100 that are not over: wait for one to end, or abort one."}
	unknownTURNSession = kind{"unknown_turn_session", http.StatusNotFound, "There is no such TURN session",
		"GET /v1/turn/sessions lists those that there are; records of those that have ended are deleted after store.retention."}
	turnSessionEnded = kind{"turn_session_ended", http.StatusConflict, "The TURN session has ended",
		"Open another one."}
	tooManyTURNSessions = kind{"too_many_turn_sessions", http.StatusTooManyRequests, "Too many TURN sessions are open",
		"There may be 20000: wait for some to end, or end them."}
	turnOff = kind{"turn_off", http.StatusServiceUnavailable, "This server has no TURN server",
		"Set listen.turn and the section turn of the server's configuration."}
	turnUnavailable = kind{"turn_unavailable", http.StatusServiceUnavailable, "The TURN server does not answer",
		"Nothing was done; it is started again by itself, so try again after the time in Retry-After."}
	unknownSession = kind{"unknown_session", http.StatusNotFound, "There is no such remote session",
		"GET /v1/sessions lists those that there are; records of those that have ended are deleted after store.audit_retention."}
	sessionEnded = kind{"session_ended", http.StatusConflict, "The remote session has ended",
		"Open another one."}
	endpointOffline = kind{"endpoint_offline", http.StatusConflict, "The endpoint is not online",
		"A session is opened with an endpoint that is online: GET /v1/endpoints/{id}/diagnosis says why it is not."}
	tooManySessions = kind{"too_many_sessions", http.StatusTooManyRequests, "Too many remote sessions are open",
		"The technician, the endpoint or the server has as many as allowed: wait for one to end, or end it."}
	unknownToken = kind{"unknown_token", http.StatusNotFound, "No such token",
		"GET /v1/tokens lists the tokens that are valid."}
	unknownEnrolment = kind{"unknown_enrolment", http.StatusNotFound, "There is no such enrolment",
		"GET /v1/enrolments lists those that there are; one that is over is forgotten after 30 days."}
	tooManyEnrolments = kind{"too_many_enrolments", http.StatusConflict, "There are too many enrolments",
		"Delete some that are over: at most 100000 are kept."}
	unknownTechnician = kind{"unknown_technician", http.StatusNotFound, "No such technician",
		"GET /v1/technicians lists them."}
	technicianExists = kind{"technician_exists", http.StatusConflict, "A technician of this name exists already",
		"Choose another name, or change the one that there is with PATCH."}
	technicianDisabled = kind{"technician_disabled", http.StatusConflict, "The technician is disabled",
		"Enable the account with PATCH {\"enabled\":true}."}
	tooManyTechnicians = kind{"too_many_technicians", http.StatusConflict, "There are too many technicians or roles",
		"There may be 10000 technicians and 100 roles: delete what is not needed any more."}
	unknownRole = kind{"unknown_role", http.StatusNotFound, "No such role",
		"GET /v1/roles lists them."}
	roleExists = kind{"role_exists", http.StatusConflict, "A role of this name exists already",
		"Choose another name, or change the one that there is with PATCH."}
	roleUsed = kind{"role_used", http.StatusConflict, "Technicians have this role",
		"Take it from them first: GET /v1/technicians shows who has it."}
	roleBuiltIn = kind{"role_built_in", http.StatusConflict, "This role is built in",
		"Make one of your own with POST /v1/roles."}
	unknownWebhook = kind{"unknown_webhook", http.StatusNotFound, "No such webhook",
		"GET /v1/webhooks lists them."}
	methodNotAllowed = kind{"method_not_allowed", http.StatusMethodNotAllowed, "This path does not take this method",
		"Use a method that the header Allow names."}
	eventsGone = kind{"events_gone", http.StatusGone, "Events behind this number are not kept any more",
		"Some may have been missed: take the states as they are now (GET /v1/presence/snapshot), and follow the events behind its number."}
	requestTimeout = kind{"request_timeout", http.StatusRequestTimeout, "The body came too slowly",
		"Send the whole request within 30 seconds."}
	endpointExists = kind{"endpoint_exists", http.StatusConflict, "The endpoint exists already",
		"Change it with PATCH, or delete it first."}
	endpointDisabled = kind{"endpoint_disabled", http.StatusConflict, "The endpoint is disabled",
		"Enable it with PATCH {\"enabled\":true}, or leave it out."}
	tokenExists = kind{"token_exists", http.StatusConflict, "A token of this name exists already",
		"Choose another name, or revoke the old token first."}
	tooManyWebhooks = kind{"too_many_webhooks", http.StatusConflict, "There are too many webhooks",
		"Delete one that is not needed any more: at most 100 are allowed."}
	webhookConfigured = kind{"webhook_configured", http.StatusConflict, "This receiver is set in the configuration",
		"Change events.host and the other keys of events in the configuration of the server."}
	webhookDisabled = kind{"webhook_disabled", http.StatusConflict, "The webhook is disabled",
		"Enable it with PATCH {\"enabled\":true}; what waits for it is sent then."}
	pushNotCancellable = kind{"push_not_cancellable", http.StatusConflict, "The push can no longer be cancelled",
		"Only a push in state accepted can be cancelled; GET it to see where it is."}
	idempotencyInProgress = kind{"idempotency_in_progress", http.StatusConflict, "The first request with this key still runs",
		"Wait a second and send the same request again."}
	stopping = kind{"stopping", http.StatusConflict, "The server stops",
		"A stop is not taken back: wait for the next start."}
	payloadTooLarge = kind{"payload_too_large", http.StatusRequestEntityTooLarge, "Too large",
		"A body has at most 262144 bytes, that of a push, a campaign or a presence query 1048576, that of a batch 16777216, a push's payload at most 65536: send a link to larger data."}
	unsupportedMediaType = kind{"unsupported_media_type", http.StatusUnsupportedMediaType, "The body is not labelled as JSON",
		"Send 'Content-Type: application/json' and no Content-Encoding."}
	validationFailed = kind{"validation_failed", http.StatusUnprocessableEntity, "The request has mistakes",
		"Correct what 'errors' points at."}
	idempotencyKeyReused = kind{"idempotency_key_reused", http.StatusUnprocessableEntity, "The Idempotency-Key was used for another request",
		"Use a new key for each new request, and the same body for a repetition."}
	queueFull = kind{"queue_full", http.StatusTooManyRequests, "The endpoint's queue is full",
		"Wait until it has taken or lost what is waiting, or cancel some of it."}
	tooManyLate = kind{"too_many_late_joiner_pushes", http.StatusTooManyRequests, "Too many pushes take late joiners",
		"Cancel some of them, give them a shorter ttl, or leave out late_joiners."}
	internalError = kind{"internal_error", http.StatusInternalServerError, "The server made a mistake",
		"Its log has the reason. Repeat a POST only with the same Idempotency-Key."}
	busy = kind{"busy", http.StatusServiceUnavailable, "The server has too much to do",
		"Nothing was done; try again after the time in Retry-After."}
	insufficientStorage = kind{"insufficient_storage", http.StatusInsufficientStorage, "No space left",
		"Nothing was done; free space on the file system of data_dir."}
)

// catalogue returns every kind of problem.
func catalogue() []kind {
	return []kind{
		malformedJSON,
		badRequest,
		tokenInQuery,
		missingToken,
		invalidToken,
		insufficientScope,
		sourceNotAllowed,
		notFound,
		unknownEndpoint,
		unknownPush,
		unknownToken,
		methodNotAllowed,
		eventsGone,
		requestTimeout,
		endpointExists,
		endpointDisabled,
		tokenExists,
		pushNotCancellable,
		idempotencyInProgress,
		payloadTooLarge,
		unsupportedMediaType,
		validationFailed,
		idempotencyKeyReused,
		queueFull,
		internalError,
		busy,
		insufficientStorage,
		noTargets,
		tooManyLate,
		unknownCampaign,
		campaignState,
		tooManyCampaigns,
		unknownTURNSession,
		turnSessionEnded,
		tooManyTURNSessions,
		turnOff,
		turnUnavailable,
		unknownSession,
		sessionEnded,
		endpointOffline,
		tooManySessions,
		unknownWebhook,
		tooManyWebhooks,
		webhookConfigured,
		webhookDisabled,
		unknownTechnician,
		technicianExists,
		technicianDisabled,
		tooManyTechnicians,
		unknownRole,
		roleExists,
		roleUsed,
		roleBuiltIn,
		stopping,
		unknownEnrolment,
		tooManyEnrolments,
	}
}
