package feature

import (
	"context"
	"crypto/rand"

	"go.uber.org/zap"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"signalbox/internal/account"
	"signalbox/internal/telemetry"
	"signalbox/xmpp/scan"
)

const nsBlocking = "urn:xmpp:blocking"

// blocking lets clients block addresses (XEP-0191).
type blocking struct {
	accounts *account.Service
	host     Host
	presence BlockedPresence
	log      *zap.Logger
}

// BlockedPresence is told who shall no longer see an account, or may again: what they see of it changes with that (XEP-0191 sections 3.3 and 3.4).
type BlockedPresence interface {
	Blocked(ctx context.Context, c Client, addresses []string)
	Unblocked(ctx context.Context, c Client, addresses []string)
}

// Blocking offers XEP-0191.
func Blocking(accounts *account.Service, host Host, presence BlockedPresence, log *zap.Logger) Feature {
	b := &blocking{accounts, host, presence, log}
	return Feature{
		Vars: []string{nsBlocking}, AccountVars: []string{nsBlocking},
		Requests: []Request{
			{Namespace: nsBlocking, Local: "blocklist", To: Own, Get: b.list},
			{Namespace: nsBlocking, Local: "block", To: Own, Set: b.block},
			{Namespace: nsBlocking, Local: "unblock", To: Own, Set: b.unblock},
		},
		Outgoing: b.outgoing,
		Incoming: b.incoming,
	}
}

func (b *blocking) list(_ context.Context, q *Query) Answer {
	q.From.State().Set(Blocklist, true)
	return Answer{Payload: appendBlocked("blocklist", b.accounts.Blocked(q.Account))}
}

func appendBlocked(name string, addresses []string) []byte {
	out := append(append([]byte("<"), name...), " xmlns='"+nsBlocking+"'>"...)
	for _, a := range addresses {
		out = append(scan.AppendAttribute(append(out, "<item"...), "jid", a), "/>"...)
	}
	return append(append(append(out, "</"...), name...), '>')
}

// addresses reads the items; false: one is not an address.
func addresses(payload scan.Element) (list []string, ok bool) {
	for c := range payload.Children() {
		text, _ := c.Attr("jid")
		j, err := jid.Parse(string(text))
		if !c.Is(nsBlocking, "item") || err != nil {
			return nil, false
		}
		list = append(list, j.String())
	}
	return list, true
}

func (b *blocking) block(ctx context.Context, q *Query) Answer {
	list, ok := addresses(q.Payload)
	if !ok {
		return Refuse(stanza.Modify, stanza.JIDMalformed)
	}
	if len(list) == 0 {
		return Refuse(stanza.Modify, stanza.BadRequest)
	}
	added, err := b.accounts.Block(ctx, q.Account, list...)
	if err != nil {
		return b.mistake(err, q)
	}
	b.presence.Blocked(ctx, q.From, added) // nothing of the account reaches them after that
	b.push(q, appendBlocked("block", added))
	return Answer{}
}

func (b *blocking) unblock(ctx context.Context, q *Query) Answer {
	list, ok := addresses(q.Payload)
	if !ok {
		return Refuse(stanza.Modify, stanza.JIDMalformed)
	}
	removed, err := b.accounts.Unblock(ctx, q.Account, list...)
	if err != nil {
		return b.mistake(err, q)
	}
	b.push(q, appendBlocked("unblock", list))
	b.presence.Unblocked(ctx, q.From, removed)
	return Answer{}
}

func (b *blocking) mistake(err error, q *Query) Answer {
	a, ok := Mistake(err)
	if !ok {
		b.log.Error("blocking list could not be changed", telemetry.Endpoint(q.Account.JID()), telemetry.Cause(err))
	}
	return a
}

// push tells the account's clients that asked for the list of the change (section 3.3).
func (b *blocking) push(q *Query, change []byte) {
	for _, c := range b.host.Clients(q.Account) {
		if c.State().Has(Blocklist) {
			c.Send(appendPush(c.JID(), change))
		}
	}
}

// appendPush makes an iq of the server to a client of its own.
func appendPush(to string, payload []byte) []byte {
	b := scan.AppendAttribute([]byte("<iq type='set'"), "id", rand.Text())
	b = append(scan.AppendAttribute(b, "to", to), '>')
	return append(append(b, payload...), "</iq>"...)
}

// outgoing refuses to write to whom the account blocks (section 3.3).
func (b *blocking) outgoing(_ context.Context, m *Message) {
	if m.Type != "error" && (b.accounts.IsBlocked(m.Sender.Key(), m.To.JID()) || b.accounts.IsBlocked(m.Sender.Key(), string(m.Stanza.To()))) {
		a := Refuse(stanza.Cancel, stanza.NotAcceptable)
		a.Detail = "<blocked xmlns='urn:xmpp:blocking:errors'/>"
		m.Refuse(a)
	}
}

// incoming answers whom the recipient blocks as if there were nobody.
func (b *blocking) incoming(_ context.Context, m *Message) {
	if b.accounts.IsBlocked(m.To, m.From) {
		m.Refuse(Unavailable())
	}
}
