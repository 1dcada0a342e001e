package events

import "strings"

// Type names a kind of event: what it is about, a dot, what happened.
type Type string

// The types. Those of pushes are the push's new state.
const (
	PushAccepted  Type = "push.accepted"
	PushSent      Type = "push.sent"
	PushDelivered Type = "push.delivered"
	PushHandled   Type = "push.handled"
	PushFailed    Type = "push.failed"
	PushExpired   Type = "push.expired"
	PushReplaced  Type = "push.replaced"
	PushCancelled Type = "push.cancelled"
	PushRejected  Type = "push.rejected"

	EndpointOnline   Type = "endpoint.online"
	EndpointOffline  Type = "endpoint.offline"
	EndpointNever    Type = "endpoint.never" // quiet
	EndpointDeleted  Type = "endpoint.deleted"
	EndpointFlapping Type = "endpoint.flapping"
	EndpointCloned   Type = "endpoint.cloned"
	EndpointDetached Type = "endpoint.detached" // quiet: its session ended, and it may come back before that counts as offline
	EndpointResumed  Type = "endpoint.resumed"  // quiet: it came back in time
	EndpointCreated  Type = "endpoint.created"
	EndpointUpdated  Type = "endpoint.updated"

	CertExpiring   Type = "cert.expiring"
	CertChanged    Type = "cert.changed"
	TLSRefused     Type = "tls.refused"
	ServerStarted  Type = "server.started"
	ServerDraining Type = "server.draining"

	WebhookDisabled Type = "webhook.disabled"

	CampaignStarted  Type = "campaign.started"
	CampaignPaused   Type = "campaign.paused"
	CampaignResumed  Type = "campaign.resumed"
	CampaignAborted  Type = "campaign.aborted"
	CampaignFinished Type = "campaign.finished"

	TURNOpened Type = "turn.session.opened"
	TURNEnded  Type = "turn.session.ended"

	// Of remote sessions; each is an action of the audit trail, too.
	SessionRequested Type = "session.requested"
	SessionConsent   Type = "session.consent"
	SessionAccepted  Type = "session.accepted"
	SessionActive    Type = "session.active"
	SessionLost      Type = "session.lost"
	SessionReturned  Type = "session.returned"
	SessionChanged   Type = "session.changed"
	SessionEnded     Type = "session.ended"
)

// Types returns all types that leave the server, quiet ones not, in the order of the documentation.
func Types() []Type {
	return []Type{
		PushAccepted, PushSent, PushDelivered, PushHandled, PushFailed, PushExpired, PushReplaced, PushCancelled, PushRejected,
		EndpointOnline, EndpointOffline, EndpointFlapping, EndpointCloned, EndpointCreated, EndpointUpdated, EndpointDeleted,
		CertExpiring, CertChanged, TLSRefused, ServerStarted, ServerDraining, WebhookDisabled,
		CampaignStarted, CampaignPaused, CampaignResumed, CampaignAborted, CampaignFinished, TURNOpened, TURNEnded,
		SessionRequested, SessionConsent, SessionAccepted, SessionActive, SessionLost, SessionReturned, SessionChanged, SessionEnded,
	}
}

// Quiet reports whether events of the type stay inside the server: they are part of an endpoint's timeline, but no news to those who follow.
func (t Type) Quiet() bool {
	return t == EndpointDetached || t == EndpointResumed || t == EndpointNever
}

// Subject returns what the type is about: push, endpoint, cert, ...
func (t Type) Subject() string {
	subject, _, _ := strings.Cut(string(t), ".")
	return subject
}
