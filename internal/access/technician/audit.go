package technician

import (
	"context"
	"net/netip"
	"time"

	"signalbox/internal/audit"
	"signalbox/internal/telemetry"
)

// Audit keeps what happened for those who look into it later. It may be called concurrently.
type Audit interface {
	// Record keeps an entry and returns when it is durable, or why it is not. it bounds what strangers cause: actions that end in "refused".
	Record(ctx context.Context, e Entry) error
}

// Entry is one thing that happened.
type Entry struct {
	Actor   string // "technician:NAME", "token:NAME" for somebody at the API, or audit.Stranger
	Action  string // ActionCreated ...
	Subject string // a technician's or a role's name; what a stranger said that it was
	Detail  any    // encodes as a JSON object; nil: nothing more is known
}

// Actions of entries.
const (
	ActionCreated      = "technician.created"
	ActionChanged      = "technician.changed"
	ActionEnabled      = "technician.enabled"
	ActionDisabled     = "technician.disabled"
	ActionDeleted      = "technician.deleted"
	ActionLinked       = "technician.linked" // a link was made
	ActionLogin        = "technician.login"
	ActionLogout       = "technician.logout"
	ActionLoginRefused = "technician.login_refused"
	ActionRoleCreated  = "technician.role_created"
	ActionRoleChanged  = "technician.role_changed"
	ActionRoleDeleted  = "technician.role_deleted"

	ActionSessionRefused = "session.refused" // by a role
)

// auditWithin is how long an entry may take whose caller has gone.
const auditWithin = 5 * time.Second

// refused keeps that somebody was not let in.
func (s *Service) refused(ctx context.Context, from netip.Addr, subject, why string, failures int) {
	s.metrics.refused.WithLabelValues(why).Inc()
	s.record(ctx, Entry{
		Actor: audit.Stranger(from), Action: ActionLoginRefused, Subject: subject, Detail: map[string]any{"reason": why, "failures": failures},
	})
}

// record keeps what has taken place already: where that fails the log has it.
func (s *Service) record(ctx context.Context, e Entry) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditWithin)
	defer cancel()
	if err := s.audit.Record(ctx, e); err != nil {
		s.log.Error("the audit has no entry of what happened", telemetry.Reason(e.Action), telemetry.Detail(e.Actor+" "+e.Subject), telemetry.Cause(err))
	}
}

// actor is how the audit names a technician.
func (t Technician) actor() string { return "technician:" + t.Name }

// Refused keeps that a technician asked for a session with an endpoint that no role of theirs allows.
func (s *Service) Refused(ctx context.Context, p Principal, endpoint string) {
	s.record(ctx, Entry{Actor: p.actor(), Action: ActionSessionRefused, Subject: endpoint, Detail: map[string]any{"reason": "role", "roles": p.Roles}})
}
