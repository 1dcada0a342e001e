package feature

import (
	"context"
	"time"

	"go.uber.org/zap"
	"mellium.im/xmpp/stanza"

	"signalbox/internal/account"
	"signalbox/internal/telemetry"
	"signalbox/xmpp/scan"
)

// last tells when an account was there (XEP-0012 section 4).
type last struct {
	accounts *account.Service
	host     Host
	log      *zap.Logger
}

// LastActivity answers XEP-0012 for accounts, to those who get their presence.
func LastActivity(accounts *account.Service, host Host, log *zap.Logger) Feature {
	l := &last{accounts, host, log}
	return Feature{
		AccountVars: []string{nsLast},
		Requests:    []Request{{Namespace: nsLast, Local: "query", To: Account, Get: l.get}},
		Left:        l.left,
	}
}

func (l *last) get(ctx context.Context, q *Query) Answer {
	if q.To == Another {
		item, _, err := l.accounts.Contact(ctx, q.Account, q.From.Key().JID())
		if err != nil {
			l.log.Error("contact could not be read", telemetry.Endpoint(q.Account.JID()), telemetry.Cause(err))
		}
		if err != nil || item.Subscription&account.From == 0 || l.accounts.IsBlocked(q.Account, q.From.JID()) {
			return Unavailable() // as for an account that does not exist
		}
	}
	for _, c := range l.host.Clients(q.Account) {
		if c.State().Presence().Available {
			return Answer{Payload: appendLast(0, "")}
		}
	}
	status, at, err := l.accounts.Last(ctx, q.Account)
	switch {
	case err != nil:
		l.log.Error("last activity could not be read", telemetry.Endpoint(q.Account.JID()), telemetry.Cause(err))
		return Refuse(stanza.Wait, stanza.InternalServerError)
	case at.IsZero():
		return Unavailable()
	}
	return Answer{Payload: appendLast(time.Since(at), status)}
}

func appendLast(since time.Duration, status string) []byte {
	b := scan.AppendAttribute([]byte("<query xmlns='"+nsLast+"'"), "seconds", itoa(max(0, int(since/time.Second))))
	return append(scan.AppendText(append(b, '>'), status), "</query>"...)
}

// left notes when the last available client of an account went.
func (l *last) left(_ context.Context, c Client, raw []byte) {
	for _, other := range l.host.Clients(c.Key()) {
		if other.State().Presence().Available {
			return
		}
	}
	status := ""
	if el, err := scan.ParseInStream(raw, scan.Accepted); err == nil {
		status = el.Element().Child(scan.NamespaceClient, "status").Text()
	}
	l.accounts.SetLast(c.Key(), status, time.Now().UTC())
}
