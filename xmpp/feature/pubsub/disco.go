package pubsub

import (
	"context"
	"errors"

	"mellium.im/xmpp/disco"

	"signalbox/internal/account"
	"signalbox/internal/telemetry"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

// knows reports whether the asker may know what an account is: it gets its presence (XEP-0163 section 6, XEP-0030 section 8).
func (s *Service) knows(ctx context.Context, q *feature.Query) bool {
	if q.To != feature.Another {
		return false
	}
	a, err := s.ask(ctx, q)
	if err != nil {
		s.log.Error("contact could not be read", telemetry.Endpoint(q.Account.JID()), telemetry.Cause(err))
		return false
	}
	return !a.stranger()
}

// describe answers disco#info of a node for those who may read it.
func (s *Service) describe(ctx context.Context, q *feature.Query, node string) (feature.Answer, bool) {
	if _, ok := s.shown(ctx, q, node); !ok {
		return feature.Answer{}, false
	}
	b := scan.AppendAttribute([]byte("<query xmlns='"+disco.NSInfo+"'"), "node", node)
	b = append(b, "><identity category='pubsub' type='leaf'/><feature var='"+disco.NSInfo+"'/><feature var='"+disco.NSItems+"'/><feature var='"+nsPubSub+"'/></query>"...)
	return feature.Answer{Payload: b}, true
}

// shown returns a node that the asker may read, or false, whatever the reason.
func (s *Service) shown(ctx context.Context, q *feature.Query, node string) (account.Node, bool) {
	if q.To == feature.Server || node == "" {
		return account.Node{}, false
	}
	n, err := s.accounts.Node(ctx, q.Account, node)
	if errors.Is(err, account.ErrNoNode) {
		return n, false
	}
	a, askErr := s.ask(ctx, q)
	if err = errors.Join(err, askErr); err != nil {
		s.log.Error("node could not be read", telemetry.Endpoint(q.Account.JID()), telemetry.Cause(err))
		return n, false
	}
	return n, a.admitted(q.Account, &n)
}

// list answers disco#items of an account with its nodes, and of a node with its items, for those who may read them (XEP-0060 sections 5.2 and 5.5).
func (s *Service) list(ctx context.Context, q *feature.Query, node string, b []byte) ([]byte, bool) {
	switch {
	case q.To == feature.Server:
		return b, false
	case node == "":
		return s.listNodes(ctx, q, b), true
	}
	n, ok := s.shown(ctx, q, node)
	if !ok {
		return b, false
	}
	items, err := s.accounts.Items(ctx, q.Account, n.Name, account.MaxPage)
	if err != nil {
		s.log.Error("items could not be read", telemetry.Endpoint(q.Account.JID()), telemetry.Cause(err))
	}
	for i := range items {
		b = append(scan.AppendAttribute(scan.AppendAttribute(append(b, "<item"...), "jid", q.Account.JID()), "name", items[i].ID), "/>"...)
	}
	return b, true
}

func (s *Service) listNodes(ctx context.Context, q *feature.Query, b []byte) []byte {
	nodes, err := s.accounts.Nodes(ctx, q.Account)
	a, askErr := s.ask(ctx, q)
	if err = errors.Join(err, askErr); err != nil {
		s.log.Error("nodes could not be read", telemetry.Endpoint(q.Account.JID()), telemetry.Cause(err))
		return b
	}
	for i := range nodes {
		if !a.admitted(q.Account, &nodes[i]) {
			continue
		}
		b = scan.AppendAttribute(scan.AppendAttribute(append(b, "<item"...), "jid", q.Account.JID()), "node", nodes[i].Name)
		if title := nodes[i].Config.Title; title != "" {
			b = scan.AppendAttribute(b, "name", title)
		}
		b = append(b, "/>"...)
	}
	return b
}
