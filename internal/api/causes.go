package api

import (
	"errors"
	"time"

	"signalbox/internal/access"
	"signalbox/internal/access/enrolment"
	"signalbox/internal/access/technician"
	"signalbox/internal/campaign"
	"signalbox/internal/diagnosis"
	"signalbox/internal/endpoint"
	"signalbox/internal/events"
	"signalbox/internal/events/webhook"
	"signalbox/internal/push"
	"signalbox/internal/remote"
	"signalbox/internal/turnsession"
)

// How long a caller should wait before it tries again.
const (
	retryBusy   = 1 * time.Second
	retryFollow = 10 * time.Second // streams of events last long
	retryQueue  = 30 * time.Second // an endpoint that is offline does not come back at once
	retrySpace  = 60 * time.Second
	retryTURN   = 2 * time.Second // a TURN server that ended is back by then
)

// cause says which problem an error of the domain is.
type cause struct {
	err   error
	kind  kind
	retry time.Duration // 0: the answer does not say when to try again
}

func causes() []cause {
	return []cause{
		{endpoint.ErrUnknown, unknownEndpoint, 0},
		{endpoint.ErrExists, endpointExists, 0},
		{endpoint.ErrDisabled, endpointDisabled, 0},
		{endpoint.ErrProbes, busy, retryBusy},
		{endpoint.ErrFull, queueFull, retryQueue},
		{push.ErrUnknown, unknownPush, 0},
		{diagnosis.ErrUnknownPush, unknownPush, 0},
		{push.ErrState, pushNotCancellable, 0},
		{push.ErrNoTargets, noTargets, 0},
		{push.ErrLateFull, tooManyLate, retrySpace},
		{push.ErrQueueFull, queueFull, retryQueue},
		{push.ErrKeyReused, idempotencyKeyReused, 0},
		{push.ErrKeyBusy, idempotencyInProgress, retryBusy},
		{push.ErrBusy, busy, retryBusy},
		{push.ErrStopped, busy, retryBusy},
		{push.ErrNoSpace, insufficientStorage, retrySpace},
		{events.ErrGone, eventsGone, 0},
		{events.ErrFull, busy, retryFollow},
		{events.ErrStopped, busy, retryBusy},
		{campaign.ErrUnknown, unknownCampaign, 0},
		{campaign.ErrState, campaignState, 0},
		{campaign.ErrTooMany, tooManyCampaigns, retrySpace},
		{turnsession.ErrUnknown, unknownTURNSession, 0},
		{turnsession.ErrEnded, turnSessionEnded, 0},
		{turnsession.ErrTooMany, tooManyTURNSessions, retrySpace},
		{turnsession.ErrOff, turnOff, 0},
		{turnsession.ErrUnavailable, turnUnavailable, retryTURN},
		{remote.ErrUnknown, unknownSession, 0},
		{remote.ErrEnded, sessionEnded, 0},
		{remote.ErrUnavailable, busy, retryBusy},
		{remote.ErrNoTURN, turnOff, 0},
		{webhook.ErrUnknown, unknownWebhook, 0},
		{webhook.ErrTooMany, tooManyWebhooks, 0},
		{webhook.ErrConfigured, webhookConfigured, 0},
		{webhook.ErrDisabled, webhookDisabled, 0},
		{access.ErrUnknownToken, unknownToken, 0},
		{access.ErrTokenName, tokenExists, 0},
		{enrolment.ErrUnknown, unknownEnrolment, 0},
		{enrolment.ErrTooMany, tooManyEnrolments, 0},
		{technician.ErrUnknown, unknownTechnician, 0},
		{technician.ErrExists, technicianExists, 0},
		{technician.ErrDisabled, technicianDisabled, 0},
		{technician.ErrTooMany, tooManyTechnicians, 0},
		{technician.ErrUnknownRole, unknownRole, 0},
		{technician.ErrRoleExists, roleExists, 0},
		{technician.ErrRoleUsed, roleUsed, 0},
		{technician.ErrBuiltIn, roleBuiltIn, 0},
		{technician.ErrBusy, busy, retryBusy},
		{ErrStopping, stopping, 0},
	}
}

// domainProblem returns the problem for an error of the domain; nil for one that is not in the table.
func domainProblem(err error) *Problem {
	for _, c := range causes() {
		if !errors.Is(err, c.err) {
			continue
		}
		p := c.kind.problem("")
		if c.retry > 0 {
			p.retryAfter(c.retry)
		}
		return p
	}
	return nil
}

// pointing adds a place in the body to the problem that err is, if it is one of the table.
func pointing(err error, place string) error {
	p := domainProblem(err)
	if p == nil {
		return err
	}
	p.Errors = append(p.Errors, FieldError{Pointer: place, Detail: p.Title + "."})
	return p
}
