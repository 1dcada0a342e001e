package im

import (
	"context"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"signalbox/internal/account"
	"signalbox/internal/endpoint"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

// Components reach the domains beside ours (XEP-0114). All methods may be called concurrently and never block.
type Components interface {
	// Serves reports whether a domain is that of a component, connected or not.
	Serves(domain string) bool
	// Route hands a stanza with its true from and its to to the component of a domain; false: it does not take it.
	Route(domain string, raw []byte) bool
}

// Outward routes what a client sends to an address of a component. An answer with a condition is an error for the sender.
func (s *Service) Outward(c feature.Client, el *scan.Stanza, to jid.JID) feature.Answer {
	switch el.Kind {
	case scan.Message:
		return s.messageOut(c, el, to)
	case scan.Presence:
		return s.presenceOut(c, el, to)
	}
	if s.accounts.IsBlocked(c.Key(), to.String()) {
		return blockedAnswer()
	}
	return s.sendOut(to, scan.Edit{From: c.JID(), To: to.String()}.AppendTo(make([]byte, 0, len(el.Raw)+64), el))
}

// blockedAnswer is for who writes to somebody that it blocks (XEP-0191 section 3.3).
func blockedAnswer() feature.Answer {
	return feature.Answer{Type: stanza.Cancel, Condition: stanza.NotAcceptable, Detail: "<blocked xmlns='urn:xmpp:blocking:errors'/>"}
}

func (s *Service) sendOut(to jid.JID, raw []byte) feature.Answer {
	if !s.components.Route(to.Domainpart(), raw) {
		return feature.Unavailable()
	}
	return feature.Answer{}
}

// keyOf returns what an address outside is called where accounts have a key; of a component itself the ID is empty.
func keyOf(to jid.JID) endpoint.Key {
	return endpoint.Key{Domain: to.Domainpart(), ID: to.Localpart()}
}

func (s *Service) messageOut(c feature.Client, el *scan.Stanza, to jid.JID) feature.Answer {
	if a := checkNested(el); a.Condition != "" {
		return a
	}
	m, err := s.message(c, el, Address{keyOf(to), to.Resourcepart()})
	if err != nil {
		return feature.Refuse(stanza.Modify, stanza.NotAcceptable)
	}
	defer m.Patience.Stop()
	if s.features.Outgoing(&m.Patience, m); m.Refused() {
		return m.Refusal()
	}
	return s.sendOut(to, m.Raw())
}

// presenceOut takes a directed presence (RFC 6121 section 4.6), a probe, or one of a subscription.
func (s *Service) presenceOut(c feature.Client, el *scan.Stanza, to jid.JID) feature.Answer {
	typ := string(el.Type())
	if p, ok := subscriptionTypes[typ]; ok {
		ctx := new(feature.Patience)
		defer ctx.Stop()
		return s.subscription(ctx, c, el, keyOf(to), p)
	}
	at := Address{keyOf(to), to.Resourcepart()}
	switch typ {
	case "", "unavailable":
		return s.direct(c, el, at, typ == "")
	case "error", "probe":
		if !s.accounts.IsBlocked(c.Key(), to.String()) {
			s.showAt(c, at, s.routed(c, el))
		}
		return feature.Answer{}
	}
	return feature.Refuse(stanza.Modify, stanza.BadRequest)
}

// address returns what a JID names: an account here or one of its clients, or an address of a component.
func (s *Service) address(text string) (Address, bool) {
	j, err := jid.Parse(text)
	if err != nil || !(j.Domainpart() == s.domain && j.Localpart() != "" || s.components.Serves(j.Domainpart())) {
		return Address{}, false
	}
	return Address{keyOf(j), j.Resourcepart()}, true
}

// watching returns who gets the presence of a contact of this account: all its available clients, or the component at which it is.
func (s *Service) watching(k endpoint.Key) []feature.Client {
	if k.Domain == s.domain {
		return s.available(k, -128)
	}
	return []feature.Client{&guest{s, Address{Key: k}}}
}

// guest is an address of a component, for the time of one stanza. It implements feature.Client.
type guest struct {
	service *Service
	at      Address
}

// Key implements feature.Client.
func (g *guest) Key() endpoint.Key { return g.at.Key }

// JID implements feature.Client: the address as it is written to.
func (g *guest) JID() string { return g.at.String() }

// Send implements feature.Client: what has no to gets the address.
func (g *guest) Send(raw []byte) bool {
	el, err := scan.ParseInStream(raw, scan.Accepted)
	if err != nil {
		return false
	}
	out := scan.Edit{From: string(el.From()), To: g.at.String()}.AppendTo(make([]byte, 0, len(raw)+64), &el)
	return g.service.components.Serves(g.at.Domain) && g.service.components.Route(g.at.Domain, out)
}

// SendMessage implements feature.Client.
func (g *guest) SendMessage(raw []byte, _ *feature.Copies) bool { return g.Send(raw) }

// SendPresence implements feature.Client.
func (g *guest) SendPresence(_ string, raw []byte) { g.Send(raw) }

// State implements feature.Client: nothing is known of it.
func (g *guest) State() *feature.State { return new(feature.State) }

// Inward routes what a component sends to an account or one of its clients. An answer with a condition is an error for the sender.
func (s *Service) Inward(from feature.Client, el *scan.Stanza, to Address) feature.Answer {
	ctx := new(feature.Patience)
	defer ctx.Stop()
	switch el.Kind {
	case scan.IQ:
		return s.Request(from, el, to)
	case scan.Message:
		return s.messageIn(from, el, to)
	}
	typ := string(el.Type())
	switch p, ok := subscriptionTypes[typ]; {
	case ok:
		return s.subscriptionIn(ctx, from, el, to.Key, p)
	case typ == "probe":
		return s.probe(ctx, from, to)
	}
	s.showAt(from, to, s.routed(from, el))
	return feature.Answer{}
}

// messageIn is Message without what the sender's own account does: a component has none.
func (s *Service) messageIn(from feature.Client, el *scan.Stanza, to Address) feature.Answer {
	if a := checkNested(el); a.Condition != "" {
		return a
	}
	m, err := s.message(from, el, to)
	if err != nil {
		return feature.Refuse(stanza.Modify, stanza.NotAcceptable)
	}
	m.Sender = nil
	defer m.Patience.Stop()
	return s.receive(&m.Patience, m, to)
}

// subscriptionIn applies a presence of a subscription that a component sends to the account (RFC 6121 section 3).
func (s *Service) subscriptionIn(ctx context.Context, from feature.Client, el *scan.Stanza, to endpoint.Key, p account.Presence) feature.Answer {
	switch ok, err := s.exists(ctx, to); {
	case err != nil:
		return s.trouble("account of a presence could not be read", to, err)
	case !ok || s.accounts.IsBlocked(to, from.JID()):
		return feature.Answer{} // who is blocked, or writes to nobody, learns nothing
	}
	bare := from.Key().JID()
	raw := scan.Edit{From: bare, To: to.JID(), Drop: s.forged}.AppendTo(make([]byte, 0, len(el.Raw)+64), el)
	ch, err := s.accounts.Inbound(ctx, to, bare, p, raw)
	if err != nil {
		return s.accountMistake(err, to)
	}
	if ch.Pass {
		s.tell(to, raw)
	}
	s.push(to, ch)
	if ch.Reply != 0 {
		s.tell(from.Key(), appendPresence(nil, ch.Reply.String(), to.JID(), bare))
	}
	s.reveal(ctx, to, from.Key(), ch)
	return feature.Answer{}
}

// ask asks a component for the presence of a contact there, for a client that became available (RFC 6121 section 4.3.1).
func (s *Service) ask(c feature.Client, contact string) {
	if to, ok := s.address(contact); ok && !s.accounts.IsBlocked(c.Key(), contact) {
		(&guest{s, to}).Send(append(scan.AppendEscaped([]byte("<presence type='probe' from='"), c.JID()), "'/>"...))
	}
}
