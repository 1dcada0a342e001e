package app

import (
	"context"
	"strings"
	"time"
	"unicode"

	"signalbox/internal/diagnosis"
	"signalbox/internal/endpoint"
	"signalbox/internal/events/webhook"
	"signalbox/internal/telemetry"
)

// whyManagement is diagnosis.Managements.
type whyManagement struct{ app *App }

// Management implements diagnosis.Managements.
func (w whyManagement) Management(ctx context.Context, k endpoint.Key) (diagnosis.Management, bool) {
	host := w.app.cfg.Events.Host
	if host == "" {
		return diagnosis.Management{}, false
	}
	in, err := w.app.webhooks.Webhook(ctx, webhook.Management)
	if err != nil {
		if ctx.Err() == nil {
			w.app.log.Warn("how far the management server is could not be read; diagnoses know less", telemetry.Cause(err))
		}
		return diagnosis.Management{Host: host}, true
	}
	m := diagnosis.Management{Host: host, Aside: in.Aside, Oldest: in.Oldest, Told: in.LastSuccess}
	if !in.Oldest.IsZero() {
		m.Waiting = int(in.Pending)
	}
	if k.ID != "" && m.Aside > 0 {
		if m.Aside, err = w.app.webhooks.AsideOf(ctx, webhook.Management, k.ID); err != nil && ctx.Err() == nil {
			w.app.log.Warn("which events the management server refuses could not be read; diagnoses know less", telemetry.Cause(err))
		}
	}
	if t, ok := in.Trouble(time.Now()); ok {
		m.Code, m.Cause, m.Since, m.Next = codeOfFault(t.Code), within(t.Detail), t.Since, t.Next
	}
	return m, true
}

// codeOfFault names why the management server is not told.
func codeOfFault(fault string) string {
	switch fault {
	case webhook.NotResolved:
		return "management_not_resolved"
	case webhook.UnknownCA, webhook.Expired, webhook.NotYetValid, webhook.WrongName, webhook.BadCert:
		return "management_certificate"
	case webhook.Refused, webhook.Gone, webhook.Redirected:
		return "management_refuses"
	case webhook.Overloaded, webhook.ServerFailed, webhook.TimedOut, webhook.Broken, webhook.NoAnswer:
		return "management_fails"
	case webhook.Backlog:
		return "event_backlog"
	}
	return "management_unreachable"
}

// within makes a sentence part of another one.
func within(sentence string) string {
	text := []rune(strings.TrimSuffix(sentence, "."))
	if len(text) > 0 {
		text[0] = unicode.ToLower(text[0])
	}
	return string(text)
}
