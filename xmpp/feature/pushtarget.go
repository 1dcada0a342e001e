package feature

import (
	"context"
	"slices"
	"strings"

	"go.uber.org/zap"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"signalbox/internal/account"
	"signalbox/internal/endpoint"
	"signalbox/internal/telemetry"
)

const (
	nsPushNotifications = "urn:xmpp:push:0"
	nsPubSub            = "http://jabber.org/protocol/pubsub"
)

// pushTargets announces to push services what waits for an account.
type pushTargets struct {
	accounts *account.Service
	host     Host
	log      *zap.Logger
}

// PushNotifications offers XEP-0357: clients name a push service, which is a client of an account here or a component of the domain, and it hears of a message that is
// kept because nobody is there, or that only clients got which are inactive or lost their connection. What the message says is not for the service.
func PushNotifications(accounts *account.Service, host Host, log *zap.Logger) Feature {
	p := &pushTargets{accounts, host, log}
	return Feature{
		AccountVars: []string{nsPushNotifications},
		Requests: []Request{
			{Namespace: nsPushNotifications, Local: "enable", To: Own, Set: p.enable},
			{Namespace: nsPushNotifications, Local: "disable", To: Own, Set: p.disable},
		},
		Kept:      p.kept,
		Delivered: p.delivered,
	}
}

// service reads the address of a push service and returns it in its normal form.
func service(q *Query) (j jid.JID, refusal Answer) {
	text, found := q.Payload.Attr("jid")
	if !found {
		return j, Refuse(stanza.Modify, stanza.BadRequest)
	}
	j, err := jid.Parse(string(text))
	if err != nil {
		return j, Refuse(stanza.Modify, stanza.JIDMalformed)
	}
	return j, Answer{}
}

func (p *pushTargets) enable(ctx context.Context, q *Query) Answer {
	j, refusal := service(q)
	if refusal.Condition != "" {
		return refusal
	}
	if !p.reachable(j) {
		return Refuse(stanza.Cancel, stanza.RemoteServerNotFound)
	}
	if q.Stanza.NestedStanza { // the service would get it in the name of the account
		return Refuse(stanza.Modify, stanza.NotAcceptable)
	}
	form := q.Payload.Child(nsData, "x")
	if len(form.Raw()) > account.MaxOptionsBytes {
		return Refuse(stanza.Modify, stanza.NotAcceptable)
	}
	node, _ := q.Payload.Attr("node")
	t := account.PushTarget{Service: j.String(), Node: string(node)}
	if form.Exists() {
		t.Options = form.AppendAlone(nil)
	}
	if err := p.accounts.EnablePush(ctx, q.Account, t); err != nil {
		return p.mistake(err, q.Account)
	}
	q.From.State().enablePush(t)
	return Answer{}
}

// reachable reports whether something of this domain can be the service: a client here, or a component.
func (p *pushTargets) reachable(j jid.JID) bool {
	if j.Domainpart() == p.host.Domain() {
		return j.Localpart() != ""
	}
	return strings.HasSuffix(j.Domainpart(), "."+p.host.Domain())
}

func (p *pushTargets) disable(ctx context.Context, q *Query) Answer {
	j, refusal := service(q)
	if refusal.Condition != "" {
		return refusal
	}
	var only *string
	if node, found := q.Payload.Attr("node"); found {
		text := string(node)
		only = &text
	}
	if _, err := p.accounts.DisablePush(ctx, q.Account, j.String(), only); err != nil {
		return p.mistake(err, q.Account)
	}
	for _, c := range p.host.Clients(q.Account) {
		c.State().disablePush(j.String(), only)
	}
	return Answer{}
}

func (p *pushTargets) mistake(err error, k endpoint.Key) Answer {
	a, ok := Mistake(err)
	if !ok {
		p.log.Error("push services could not be changed", telemetry.Endpoint(k.JID()), telemetry.Cause(err))
	}
	return a
}

// maxEnabled bounds the push services that are remembered as one client's.
const maxEnabled = 10

func (s *State) enablePush(t account.PushTarget) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pushed = slices.DeleteFunc(s.pushed, func(o account.PushTarget) bool { return o.Service == t.Service && o.Node == t.Node })
	if len(s.pushed) < maxEnabled {
		s.pushed = append(s.pushed, t)
	}
}

// disablePush forgets a node of a service, or all where node is nil.
func (s *State) disablePush(service string, node *string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pushed = slices.DeleteFunc(s.pushed, func(o account.PushTarget) bool { return o.Service == service && (node == nil || o.Node == *node) })
}

// away returns the push services that a client enabled, if it is one that does not look at what it gets at the moment.
func (s *State) away() ([]account.PushTarget, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.flags[Inactive] && !s.flags[Detached] {
		return nil, false
	}
	return slices.Clone(s.pushed), true
}

// worthPushing reports whether a message is for a human being who is not looking.
func worthPushing(m *Message) bool {
	switch {
	case m.NoStore, m.Type == "error", m.Type == "headline":
		return false
	case m.Store:
		return true
	}
	return m.Body
}

// kept announces a message that waits for any client.
func (p *pushTargets) kept(ctx context.Context, m *Message) {
	if worthPushing(m) {
		p.announceAll(ctx, m)
	}
}

// delivered announces a message that no client looks at, or to the services of those clients that do not look at it.
func (p *pushTargets) delivered(ctx context.Context, m *Message, to []Client) {
	if !worthPushing(m) {
		return
	}
	if !slices.ContainsFunc(to, func(c Client) bool { _, away := c.State().away(); return !away }) {
		p.announceAll(ctx, m)
		return
	}
	for _, c := range m.Recipients {
		if targets, _ := c.State().away(); len(targets) > 0 {
			p.announce(ctx, m, targets)
		}
	}
}

func (p *pushTargets) announceAll(ctx context.Context, m *Message) {
	targets, err := p.accounts.PushTargets(ctx, m.To)
	if err != nil {
		p.log.Error("push services could not be read", telemetry.Endpoint(m.To.JID()), telemetry.Cause(err))
		return
	}
	if len(targets) > 0 {
		p.announce(ctx, m, targets)
	}
}
