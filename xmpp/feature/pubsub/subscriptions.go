package pubsub

import (
	"context"
	"errors"
	"slices"
	"strings"

	"mellium.im/xmpp/stanza"

	"signalbox/internal/account"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

// maxSubscriptions bounds the addresses with which one account subscribes to one node, so that it leaves room for others.
const maxSubscriptions = 10

// subscribe subscribes the asker or one of its clients explicitly (XEP-0060 section 6.1). Who gets the owner's presence need not, if its capabilities say what it wants.
func (s *Service) subscribe(ctx context.Context, r *request) feature.Answer {
	who, refusal := r.subscriber()
	if refusal.Condition != "" {
		return refusal
	}
	n, refusal := s.readable(ctx, r)
	if refusal.Condition != "" {
		return refusal
	}
	if others := len(subscribersOf(&n, r.jid)); others >= maxSubscriptions && !slices.Contains(n.Subscribers, who) {
		return refuse(stanza.Wait, stanza.PolicyViolation, "too-many-subscriptions")
	}
	n, err := s.accounts.Subscribe(ctx, r.q.Account, r.node, who)
	if err != nil {
		return s.mistake(err, r.q.Account)
	}
	if n.Config.SendLast != account.SendNever {
		s.sendLast(ctx, r.q.From, r.q.Account, &n)
	}
	return feature.Answer{Payload: wrap(nsPubSub, appendSubscription(nil, r.node, who, "subscribed"))}
}

// unsubscribe ends it (section 6.2).
func (s *Service) unsubscribe(ctx context.Context, r *request) feature.Answer {
	who, refusal := r.subscriber()
	if refusal.Condition != "" {
		return refusal
	}
	n, err := s.accounts.Node(ctx, r.q.Account, r.node)
	subscribed := err == nil && slices.Contains(n.Subscribers, who)
	if subscribed {
		_, err = s.accounts.Unsubscribe(ctx, r.q.Account, r.node, who)
	}
	switch {
	case err == nil && subscribed:
		return feature.Answer{}
	case err != nil && !account.Refused(err):
		return s.mistake(err, r.q.Account)
	case r.stranger() && (err != nil || !r.admitted(r.q.Account, &n)):
		return feature.Unavailable()
	case errors.Is(err, account.ErrNoNode):
		return s.mistake(err, r.q.Account)
	}
	return refuse(stanza.Cancel, stanza.UnexpectedRequest, "not-subscribed")
}

// subscriber reads which address is to be subscribed: one of the asker's own.
func (r *request) subscriber() (full string, refusal feature.Answer) {
	if r.node == "" {
		return "", nodeRequired
	}
	bare, full, ok := parseJID(attribute(r.op, "jid"))
	if !ok || bare != r.jid {
		return "", refuse(stanza.Modify, stanza.BadRequest, "invalid-jid")
	}
	return full, feature.Answer{}
}

// subscribersOf returns the addresses of one account that are subscribed to a node.
func subscribersOf(n *account.Node, bare string) (list []string) {
	for _, j := range n.Subscribers {
		if j == bare || strings.HasPrefix(j, bare+"/") {
			list = append(list, j)
		}
	}
	return list
}

func appendSubscription(b []byte, node, who, state string) []byte {
	b = scan.AppendAttribute(appendOpen(b, "subscription", node), "jid", who)
	return append(scan.AppendAttribute(b, "subscription", state), "/>"...)
}

// subscriptions tells the asker to what it is subscribed explicitly (section 5.6).
func (s *Service) subscriptions(ctx context.Context, r *request) feature.Answer {
	nodes, err := s.accounts.Nodes(ctx, r.q.Account)
	if err != nil {
		return s.mistake(err, r.q.Account)
	}
	b := append(appendOpen(nil, "subscriptions", r.node), '>')
	for i := range nodes {
		n := &nodes[i]
		if r.node != "" && r.node != n.Name || !r.admitted(r.q.Account, n) {
			continue
		}
		for _, who := range subscribersOf(n, r.jid) {
			b = appendSubscription(b, n.Name, who, "subscribed")
		}
	}
	return feature.Answer{Payload: wrap(nsPubSub, append(b, "</subscriptions>"...))}
}

// nodeSubscriptions tells the owner who is subscribed to a node (section 8.8.1).
func (s *Service) nodeSubscriptions(ctx context.Context, r *request) feature.Answer {
	n, refusal := s.ownNode(ctx, r)
	if refusal.Condition != "" {
		return refusal
	}
	b := append(appendOpen(nil, "subscriptions", r.node), '>')
	for _, who := range n.Subscribers {
		b = appendSubscription(b, "", who, "subscribed")
	}
	return feature.Answer{Payload: wrap(nsOwner, append(b, "</subscriptions>"...))}
}

// changeSubscriptions lets the owner end subscriptions and make them (section 8.8.2). Who is made a subscriber still gets only what it may read.
func (s *Service) changeSubscriptions(ctx context.Context, r *request) feature.Answer {
	n, refusal := s.ownNode(ctx, r)
	if refusal.Condition != "" {
		return refusal
	}
	elements := slices.Collect(r.op.Children())
	if len(elements) > maxNamed {
		return feature.Refuse(stanza.Modify, stanza.NotAcceptable)
	}
	for _, el := range elements {
		_, who, ok := parseJID(attribute(el, "jid"))
		if !ok || !el.Is(nsOwner, "subscription") {
			return feature.Refuse(stanza.Modify, stanza.BadRequest)
		}
		var err error
		switch attribute(el, "subscription") {
		case "subscribed":
			_, err = s.accounts.Subscribe(ctx, r.q.Account, r.node, who)
		case "none":
			if slices.Contains(n.Subscribers, who) {
				_, err = s.accounts.Unsubscribe(ctx, r.q.Account, r.node, who)
			}
		default:
			return feature.Refuse(stanza.Modify, stanza.NotAcceptable)
		}
		if err != nil {
			return s.mistake(err, r.q.Account)
		}
	}
	return feature.Answer{}
}
