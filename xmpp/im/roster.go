package im

import (
	"context"
	"crypto/rand"
	"slices"
	"strconv"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"signalbox/internal/account"
	"signalbox/internal/endpoint"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

const nsRoster = "jabber:iq:roster"

// Roster lets clients read and edit their rosters (RFC 6121 section 2), with versions (section 2.6) and pre-approval (section 3.4).
func (s *Service) Roster() feature.Feature {
	forbidden := func(context.Context, *feature.Query) feature.Answer {
		return feature.Refuse(stanza.Auth, stanza.Forbidden)
	}
	return feature.Feature{
		Stream: "<ver xmlns='urn:xmpp:features:rosterver'/><sub xmlns='urn:xmpp:features:pre-approval'/>",
		Requests: []feature.Request{
			{Namespace: nsRoster, Local: "query", To: feature.Own, Get: s.getRoster, Set: s.setRoster},
			{Namespace: nsRoster, Local: "query", To: feature.Another, Set: forbidden},
		},
	}
}

func (s *Service) getRoster(ctx context.Context, q *feature.Query) feature.Answer {
	q.From.State().Set(feature.Roster, true)
	r, err := s.accounts.Roster(ctx, q.Account)
	if err != nil {
		return s.trouble("roster could not be read", q.Account, err)
	}
	known, versioned := q.Payload.Attr("ver")
	if versioned && string(known) == strconv.FormatInt(r.Version, 10) {
		return feature.Answer{} // the client has it (section 2.6.3)
	}
	b := append([]byte("<query xmlns='"+nsRoster+"' ver='"), strconv.FormatInt(r.Version, 10)...)
	b = append(b, "'>"...)
	for i := range r.Items {
		b = appendItem(b, &r.Items[i], true)
	}
	return feature.Answer{Payload: append(b, "</query>"...)}
}

// appendItem appends an item as section 2.1.2 has it, or its removal.
func appendItem(b []byte, item *account.Item, listed bool) []byte {
	b = append(scan.AppendEscaped(append(b, "<item jid='"...), item.JID), '\'')
	if !listed {
		return append(b, " subscription='remove'/>"...)
	}
	if item.Name != "" {
		b = append(scan.AppendEscaped(append(b, " name='"...), item.Name), '\'')
	}
	if item.PendingOut {
		b = append(b, " ask='subscribe'"...)
	}
	if item.Approved {
		b = append(b, " approved='true'"...)
	}
	b = append(append(b, " subscription='"...), item.Subscription.String()...)
	b = append(b, "'>"...)
	for _, g := range item.Groups {
		b = append(scan.AppendEscaped(append(b, "<group>"...), g), "</group>"...)
	}
	return append(b, "</item>"...)
}

// push sends a changed item to the clients that asked for the roster (section 2.1.6).
func (s *Service) push(k endpoint.Key, ch account.Change) {
	if !ch.Push {
		return
	}
	for _, c := range s.clients(k) {
		if !c.State().Has(feature.Roster) {
			continue
		}
		b := append([]byte("<iq type='set' id='"), rand.Text()...)
		b = append(scan.AppendEscaped(append(b, "' to='"...), c.JID()), "'><query xmlns='"+nsRoster+"' ver='"...)
		b = append(strconv.AppendInt(b, ch.Version, 10), "'>"...)
		c.Send(append(appendItem(b, &ch.Item, ch.Listed), "</query></iq>"...))
	}
}

// rosterItem is what a client wants an item to be.
type rosterItem struct {
	jid, name string
	groups    []string
	remove    bool
}

func (s *Service) setRoster(ctx context.Context, q *feature.Query) feature.Answer {
	item, refusal := readItem(q.Payload)
	if refusal.Condition != "" {
		return refusal
	}
	if item.remove {
		return s.removeItem(ctx, q.Account, item.jid)
	}
	ch, err := s.accounts.SetItem(ctx, q.Account, item.jid, item.name, item.groups)
	if err != nil {
		return s.accountMistake(err, q.Account)
	}
	s.push(q.Account, ch)
	return feature.Answer{}
}

// readItem reads a roster set (sections 2.3 to 2.5). What a client says of the subscription, unless it is remove, is ignored.
func readItem(query scan.Element) (item rosterItem, refusal feature.Answer) {
	bad := feature.Refuse(stanza.Modify, stanza.BadRequest)
	var el scan.Element
	for c := range query.Children() {
		if el.Exists() || !c.Is(nsRoster, "item") {
			return item, bad
		}
		el = c
	}
	text, _ := el.Attr("jid")
	j, err := jid.Parse(string(text))
	if err != nil || len(text) == 0 {
		return item, bad
	}
	name, _ := el.Attr("name")
	subscription, _ := el.Attr("subscription")
	item = rosterItem{jid: j.Bare().String(), name: string(name), remove: string(subscription) == "remove"}
	for c := range el.Children() {
		if !c.Is(nsRoster, "group") {
			continue
		}
		switch g := c.Text(); {
		case g == "":
			return item, feature.Refuse(stanza.Modify, stanza.NotAcceptable)
		case slices.Contains(item.groups, g):
			return item, bad
		default:
			item.groups = append(item.groups, g)
		}
	}
	return item, feature.Answer{}
}

// removeItem ends what there was between the two accounts.
func (s *Service) removeItem(ctx context.Context, k endpoint.Key, contact string) feature.Answer {
	r, err := s.accounts.RemoveItem(ctx, k, contact)
	if err != nil {
		return s.accountMistake(err, k)
	}
	s.push(k, r.Owner)
	to, ok := s.address(contact)
	if ok && to.Domain != s.domain {
		for _, p := range r.Send {
			s.tell(to.Key, appendPresence(nil, p.String(), k.JID(), contact))
		}
		s.reveal(ctx, k, to.Key, r.Owner)
	}
	if !r.Local || !ok {
		return feature.Answer{}
	}
	for _, p := range r.Deliver {
		s.tell(to.Key, appendPresence(nil, p.String(), k.JID(), contact))
	}
	s.push(to.Key, r.Contact)
	s.reveal(ctx, k, to.Key, r.Owner)
	s.reveal(ctx, to.Key, k, r.Contact)
	return feature.Answer{}
}
