package pubsub

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"time"

	"signalbox/internal/account"
	"signalbox/internal/endpoint"
	"signalbox/internal/telemetry"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

// itemEvent is what is told of a published item.
func itemEvent(node string, item *account.NodeItem, owner string) []byte {
	return append(appendItem(append(appendOpen(nil, "items", node), '>'), item, owner), "</items>"...)
}

// notify tells of an event of a node whoever may read it and wants to know: the owner's clients and those of contacts that get its presence, by their capabilities
// (XEP-0163 section 4.3), and explicit subscribers.
func (s *Service) notify(ctx context.Context, owner endpoint.Key, n *account.Node, event []byte) {
	roster, err := s.accounts.Roster(ctx, owner)
	if err != nil {
		s.log.Error("roster could not be read", telemetry.Endpoint(owner.JID()), telemetry.Cause(err))
		return
	}
	var to []feature.Client
	for _, c := range s.host.Clients(owner) {
		if c.State().Wishes(n.Name) {
			to = append(to, c)
		}
	}
	for i := range roster.Items {
		to = s.appendInterested(to, owner, n, &roster.Items[i])
	}
	for _, who := range n.Subscribers {
		to = s.appendSubscriber(to, owner, n, who, roster.Items)
	}
	for _, c := range to {
		if s.shuns(owner, c) {
			continue
		}
		if !c.Send(appendEvent(owner, c, event, time.Time{})) {
			c.State().Set(feature.Missed, true)
		}
	}
}

// arrived sends a client that resumed the last items of what it wants to know, if it missed something.
func (s *Service) arrived(ctx context.Context, c feature.Client) {
	if c.State().Has(feature.Missed) {
		c.State().Set(feature.Missed, false)
		s.Wanted(ctx, c, c.State().AllWishes())
	}
}

// account returns the account of this server that a bare JID names; false: there is none, or one of the two blocks the other.
func (s *Service) account(owner endpoint.Key, bare string) (k endpoint.Key, ok bool) {
	id, domain, found := strings.Cut(bare, "@")
	k = endpoint.Key{Domain: domain, ID: id}
	return k, found && domain == s.host.Domain() && !s.accounts.IsBlocked(owner, bare) && !s.accounts.IsBlocked(k, owner.JID())
}

// shuns reports whether the owner blocks a client, be it this one of its account alone.
func (s *Service) shuns(owner endpoint.Key, c feature.Client) bool {
	return c.Key() != owner && s.accounts.IsBlocked(owner, c.JID())
}

// appendInterested adds the clients of a contact that want to know of a node.
func (s *Service) appendInterested(to []feature.Client, owner endpoint.Key, n *account.Node, item *account.Item) []feature.Client {
	if item.Subscription&account.From == 0 || !n.Admits(owner, item.JID, *item) {
		return to
	}
	k, ok := s.account(owner, item.JID)
	if !ok {
		return to
	}
	for _, c := range s.host.Clients(k) {
		if c.State().Wishes(n.Name) {
			to = append(to, c)
		}
	}
	return to
}

// appendSubscriber adds the clients that an explicit subscription means and that are not there yet: the one that it names, or all that take messages.
func (s *Service) appendSubscriber(to []feature.Client, owner endpoint.Key, n *account.Node, who string, roster []account.Item) []feature.Client {
	bare, _, full := strings.Cut(who, "/")
	var item account.Item
	if i := slices.IndexFunc(roster, func(it account.Item) bool { return it.JID == bare }); i >= 0 {
		item = roster[i]
	}
	k, ok := s.account(owner, bare)
	if !ok || !n.Admits(owner, bare, item) {
		return to
	}
	for _, c := range s.host.Clients(k) {
		presence := c.State().Presence()
		if (full && c.JID() == who || !full && presence.Available && presence.Priority >= 0) && !slices.Contains(to, c) {
			to = append(to, c)
		}
	}
	return to
}

// appendEvent makes the message of an event for one client; at is when it was published, if that is not now.
func appendEvent(owner endpoint.Key, to feature.Client, event []byte, at time.Time) []byte {
	b := append(make([]byte, 0, len(event)+256), "<message type='headline'"...)
	b = scan.AppendAttribute(scan.AppendAttribute(scan.AppendAttribute(b, "id", rand.Text()), "from", owner.JID()), "to", to.JID())
	b = append(append(append(b, "><event xmlns='"+nsEvent+"'>"...), event...), "</event>"...)
	if !at.IsZero() {
		b = appendDelay(b, at)
	}
	return append(b, "</message>"...)
}

// Wanted sends a client the last items of the nodes that it wants to know of from now on: those of its own account, and of contacts whose presence it gets (XEP-0163
// section 4.3.2). It is for feature.ClientCaps.
func (s *Service) Wanted(ctx context.Context, c feature.Client, names []string) {
	s.sendWanted(ctx, c, c.Key(), names)
	roster, err := s.accounts.Roster(ctx, c.Key())
	if err != nil {
		s.log.Error("roster could not be read", telemetry.Endpoint(c.Key().JID()), telemetry.Cause(err))
		return
	}
	for _, item := range roster.Items {
		if item.Subscription&account.To == 0 {
			continue
		}
		if owner, ok := s.account(c.Key(), item.JID); ok {
			s.sendWanted(ctx, c, owner, names)
		}
	}
}

// revealed sends the last items of an account to the clients of a contact that gets its presence from now on.
func (s *Service) revealed(ctx context.Context, of, to endpoint.Key) {
	for _, c := range s.host.Clients(to) {
		if wishes := c.State().AllWishes(); len(wishes) > 0 {
			s.sendWanted(ctx, c, of, wishes)
		}
	}
}

func (s *Service) sendWanted(ctx context.Context, c feature.Client, owner endpoint.Key, names []string) {
	if s.shuns(owner, c) {
		return
	}
	nodes, err := s.accounts.Nodes(ctx, owner)
	if err != nil {
		s.log.Error("nodes could not be read", telemetry.Endpoint(owner.JID()), telemetry.Cause(err))
		return
	}
	nodes = slices.DeleteFunc(nodes, func(n account.Node) bool {
		return n.Items == 0 || n.Config.SendLast != account.SendOnPresence || !slices.Contains(names, n.Name)
	})
	if len(nodes) == 0 {
		return
	}
	contact, _, err := s.accounts.Contact(ctx, owner, c.Key().JID())
	if err != nil {
		s.log.Error("contact could not be read", telemetry.Endpoint(owner.JID()), telemetry.Cause(err))
		return
	}
	for i := range nodes {
		if nodes[i].Admits(owner, c.Key().JID(), contact) {
			s.sendLast(ctx, c, owner, &nodes[i])
		}
	}
}

// sendLast sends the newest item of a node to a client that may read it.
func (s *Service) sendLast(ctx context.Context, c feature.Client, owner endpoint.Key, n *account.Node) {
	items, err := s.accounts.Items(ctx, owner, n.Name, 1)
	if err != nil && !errors.Is(err, account.ErrNoNode) {
		s.log.Error("items could not be read", telemetry.Endpoint(owner.JID()), telemetry.Cause(err))
	}
	if len(items) == 1 {
		c.Send(appendEvent(owner, c, itemEvent(n.Name, &items[0], owner.JID()), items[0].At))
	}
}
