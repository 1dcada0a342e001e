package im

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"mellium.im/xmpp/stanza"

	"signalbox/internal/account"
	"signalbox/internal/endpoint"
	"signalbox/internal/telemetry"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

// Presence takes a presence that a client sends to nobody (RFC 6121 sections 4.2, 4.4 and 4.5): its availability, for everybody who may know it.
func (s *Service) Presence(c feature.Client, el *scan.Stanza) feature.Answer {
	ctx := new(feature.Patience)
	defer ctx.Stop()
	switch string(el.Type()) {
	case "":
		return s.arrive(ctx, c, el)
	case "unavailable":
		s.leave(ctx, c, s.routed(c, el))
	}
	return feature.Answer{}
}

// routed returns a presence as others get it.
func (s *Service) routed(c feature.Client, el *scan.Stanza) []byte {
	return scan.Edit{From: c.JID(), Drop: s.forged}.AppendTo(make([]byte, 0, len(el.Raw)+64), el)
}

func (s *Service) arrive(ctx context.Context, c feature.Client, el *scan.Stanza) feature.Answer {
	priority := 0
	if p := el.Element().Child(scan.NamespaceClient, "priority"); p.Exists() {
		var err error
		if priority, err = strconv.Atoi(strings.TrimSpace(p.Text())); err != nil || priority < -128 || priority > 127 {
			return feature.Refuse(stanza.Modify, stanza.BadRequest)
		}
	}
	p := feature.Presence{Available: true, Priority: int8(priority), Raw: s.routed(c, el)}
	before, ok := c.State().SetPresence(p)
	if !ok {
		return feature.Answer{} // it has ended
	}
	roster, err := s.accounts.Roster(ctx, c.Key())
	if err != nil {
		c.State().SetPresence(before) // so that the client may try again
		return s.trouble("roster could not be read", c.Key(), err)
	}
	s.announce(c, roster.Items)
	if !before.Available {
		s.greet(ctx, c, roster.Items)
	}
	s.features.Present(ctx, c, el)
	if !before.Available || before.Priority < 0 && priority >= 0 {
		s.features.Arrived(ctx, c)
	}
	return feature.Answer{}
}

// announce tells the account's own clients and its contacts of a client, unless that has ended meanwhile: then they hear so in any case.
func (s *Service) announce(c feature.Client, contacts []account.Item) {
	order := s.order(c.Key())
	order.Lock()
	defer order.Unlock()
	p := c.State().Presence()
	if !p.Available {
		return
	}
	for _, own := range s.available(c.Key(), -128) {
		own.SendPresence(c.JID(), p.Raw)
	}
	s.broadcast(c, contacts, p.Raw)
}

// eachPresence calls f with the clients of an account that are available, and their presence, in order with all else that is told of them.
func (s *Service) eachPresence(k endpoint.Key, f func(c feature.Client, raw []byte)) {
	order := s.order(k)
	order.Lock()
	defer order.Unlock()
	for _, c := range s.clients(k) {
		if p := c.State().Presence(); p.Available {
			f(c, p.Raw)
		}
	}
}

// broadcast sends a presence to the contacts that may know it.
func (s *Service) broadcast(from feature.Client, contacts []account.Item, raw []byte) {
	for _, item := range contacts {
		if item.Subscription&account.From == 0 {
			continue
		}
		if to, ok := s.address(item.JID); ok {
			s.show(from, to.Key, raw)
		}
	}
}

// show sends a presence of a client to all available clients of another account, or to a component. One that the sender blocks, or whose account blocks the sender, hears nothing.
func (s *Service) show(from feature.Client, to endpoint.Key, raw []byte) {
	for _, c := range s.watching(to) {
		if !s.shun(from, c) {
			c.SendPresence(from.JID(), raw)
		}
	}
}

// shun reports whether one of two clients is blocked by the account of the other.
func (s *Service) shun(a, b feature.Client) bool {
	return s.accounts.IsBlocked(a.Key(), b.JID()) || s.accounts.IsBlocked(b.Key(), a.JID())
}

// blocked reports whether one of two accounts blocks the other.
func (s *Service) blocked(a, b endpoint.Key) bool {
	return s.accounts.IsBlocked(a, b.JID()) || s.accounts.IsBlocked(b, a.JID())
}

// greet sends a client that became available what it missed: the presence of the account's other clients and of its contacts, and who asks for its own.
func (s *Service) greet(ctx context.Context, c feature.Client, contacts []account.Item) {
	s.eachPresence(c.Key(), func(own feature.Client, raw []byte) {
		if own != c {
			c.Send(raw)
		}
	})
	for _, item := range contacts {
		to, ok := s.address(item.JID)
		if !ok || item.Subscription&account.To == 0 {
			continue
		}
		if to.Domain != s.domain {
			s.ask(c, item.JID)
			continue
		}
		s.eachPresence(to.Key, func(theirs feature.Client, raw []byte) {
			if !s.shun(c, theirs) {
				c.Send(raw)
			}
		})
	}
	pending, err := s.accounts.Pending(ctx, c.Key())
	if err != nil {
		s.log.Error("subscription requests could not be read", telemetry.Endpoint(c.Key().JID()), telemetry.Cause(err))
		return
	}
	for _, r := range pending {
		if !s.accounts.IsBlocked(c.Key(), r.JID) {
			c.Send(r.Stanza)
		}
	}
}

// Ended says that a client is gone: what it was sent and did not acknowledge goes elsewhere, and who knew it as available hears that it is not. It does not block.
func (s *Service) Ended(c feature.Client, lost [][]byte) {
	if len(lost) > 0 {
		s.later.add(func(ctx context.Context) {
			for _, raw := range lost {
				s.returned(ctx, c, raw)
			}
		})
	}
	if c.State().End() {
		s.later.add(func(ctx context.Context) { s.leave(ctx, c, unavailable(c)) })
	}
}

// Resumed says that a client has a connection again: what was kept for it meanwhile is sent. It does not block.
func (s *Service) Resumed(c feature.Client) {
	if p := c.State().Presence(); p.Available && p.Priority >= 0 {
		s.later.add(func(ctx context.Context) { s.features.Arrived(ctx, c) })
	}
}

// unavailable is what the server says of a client that is gone, or that somebody may no longer see.
func unavailable(c feature.Client) []byte {
	return append(scan.AppendEscaped([]byte("<presence type='unavailable' from='"), c.JID()), "'/>"...)
}

// leave makes a client unavailable.
func (s *Service) leave(ctx context.Context, c feature.Client, raw []byte) {
	before, _ := c.State().SetPresence(feature.Presence{})
	s.retire(c, before.Available, s.contacts(ctx, c.Key()), raw)
	if before.Available {
		s.features.Left(ctx, c, raw)
	}
}

// retire tells everybody who knew a client as available that it is not. Where another one has its address by now, that one's presence is the newer word.
func (s *Service) retire(c feature.Client, known bool, contacts []account.Item, raw []byte) {
	order := s.order(c.Key())
	order.Lock()
	defer order.Unlock()
	next := new(feature.State)
	for _, other := range s.clients(c.Key()) {
		if other != c && other.JID() == c.JID() {
			next = other.State()
		}
	}
	replaced := next.Presence().Available
	for _, to := range c.State().TakeDirected() {
		at, ok := s.address(to)
		if hears := (known || replaced) && subscribed(contacts, at); ok && !hears && !next.Directs(to) {
			s.showAt(c, at, raw)
		}
	}
	if !known || replaced {
		return
	}
	for _, own := range append(s.available(c.Key(), -128), c) {
		own.SendPresence(c.JID(), raw)
	}
	s.broadcast(c, contacts, raw)
}

// subscribed reports whether one of the contacts gets the account's presence.
func subscribed(contacts []account.Item, to Address) bool {
	i := slices.IndexFunc(contacts, func(item account.Item) bool { return item.JID == to.JID() })
	return i >= 0 && contacts[i].Subscription&account.From != 0
}

// showAt sends a presence that a client directed to an address.
func (s *Service) showAt(from feature.Client, to Address, raw []byte) {
	for _, c := range s.at(to) {
		if !s.shun(from, c) {
			c.SendPresence(from.JID(), raw)
		}
	}
}

// at returns who gets a presence that is directed to an address: the client with a full JID, all available ones of an account, a component.
func (s *Service) at(to Address) []feature.Client {
	if to.Domain != s.domain {
		return []feature.Client{&guest{s, to}}
	}
	if to.Resource == "" {
		return s.available(to.Key, -128)
	}
	if c := s.client(to); c != nil {
		return []feature.Client{c}
	}
	return nil
}

// Directed takes a presence that a client sends to an address (RFC 6121 sections 3, 4.3 and 4.6).
func (s *Service) Directed(c feature.Client, el *scan.Stanza, to Address) feature.Answer {
	ctx := new(feature.Patience)
	defer ctx.Stop()
	switch typ := string(el.Type()); typ {
	case "", "unavailable":
		return s.direct(c, el, to, typ == "")
	case "probe":
		return s.probe(ctx, c, to)
	case "error":
		if to.Resource != "" && !s.blocked(c.Key(), to.Key) {
			s.Route(ctx, to.String(), s.routed(c, el))
		}
		return feature.Answer{}
	default:
		p, ok := subscriptionTypes[typ]
		if !ok {
			return feature.Refuse(stanza.Modify, stanza.BadRequest)
		}
		return s.subscription(ctx, c, el, to.Key, p)
	}
}

// direct shows the client's presence to one address. Whoever saw it that way hears when it ends.
func (s *Service) direct(c feature.Client, el *scan.Stanza, to Address, available bool) feature.Answer {
	if s.accounts.IsBlocked(c.Key(), to.String()) || s.accounts.IsBlocked(to.Key, c.JID()) {
		return feature.Answer{}
	}
	raw := s.routed(c, el)
	order := s.order(c.Key())
	order.Lock()
	defer order.Unlock()
	if !c.State().Direct(to.String(), available) {
		return feature.Refuse(stanza.Wait, stanza.ResourceConstraint)
	}
	s.showAt(c, to, raw)
	return feature.Answer{}
}

// probe answers with the presence of the account, if the client's own gets it; else with nothing, as for an account that does not exist.
func (s *Service) probe(ctx context.Context, c feature.Client, to Address) feature.Answer {
	if to.Key != c.Key() {
		item, _, err := s.accounts.Contact(ctx, to.Key, c.Key().JID())
		if err != nil {
			return s.trouble("contact could not be read", to.Key, err)
		}
		if item.Subscription&account.From == 0 || s.blocked(c.Key(), to.Key) {
			return feature.Answer{}
		}
	}
	found := false
	s.eachPresence(to.Key, func(theirs feature.Client, raw []byte) {
		if to.Resource == "" || theirs.JID() == to.String() {
			c.Send(raw)
			found = true
		}
	})
	if !found {
		c.Send(appendPresence(nil, "unavailable", to.JID(), c.Key().JID()))
	}
	return feature.Answer{}
}

// appendPresence appends a presence of the server's own making.
func appendPresence(b []byte, typ, from, to string) []byte {
	b = append(append(append(b, "<presence type='"...), typ...), "' from='"...)
	b = append(scan.AppendEscaped(b, from), "' to='"...)
	return append(scan.AppendEscaped(b, to), "'/>"...)
}
