package pubsub

import (
	"context"

	"mellium.im/xmpp/stanza"

	"signalbox/internal/account"
	"signalbox/xmpp/feature"
)

// create makes a node (XEP-0060 section 8.1).
func (s *Service) create(ctx context.Context, r *request) feature.Answer {
	if r.own && r.node == "" { // names are for people to know, so we make none up
		return refuse(stanza.Modify, stanza.NotAcceptable, "nodeid-required")
	}
	if refusal := r.owned(); refusal.Condition != "" {
		return refusal
	}
	options, err := readForm(r.q.Payload.Child(nsPubSub, "configure").Child(nsData, "x"), nodeConfig)
	if err != nil {
		return formMistake(err, nodeConfig)
	}
	if _, err := s.accounts.CreateNode(ctx, r.q.Account, r.node, options); err != nil {
		return s.mistake(err, r.q.Account)
	}
	return feature.Answer{Payload: wrap(nsPubSub, append(appendOpen(nil, "create", r.node), "/>"...))}
}

// ownNode returns a node for its owner.
func (s *Service) ownNode(ctx context.Context, r *request) (account.Node, feature.Answer) {
	if refusal := r.owned(); refusal.Condition != "" {
		return account.Node{}, refusal
	}
	return s.readable(ctx, r)
}

// configuration shows how a node is configured (section 8.2).
func (s *Service) configuration(ctx context.Context, r *request) feature.Answer {
	n, refusal := s.ownNode(ctx, r)
	if refusal.Condition != "" {
		return refusal
	}
	b := appendForm(append(appendOpen(nil, "configure", r.node), '>'), &n.Config)
	return feature.Answer{Payload: wrap(nsOwner, append(b, "</configure>"...))}
}

// defaults shows how a node is configured for which nobody chose anything (section 8.3).
func (s *Service) defaults(_ context.Context, r *request) feature.Answer {
	if !r.own {
		return r.owned()
	}
	config := account.DefaultNode()
	return feature.Answer{Payload: wrap(nsOwner, append(appendForm([]byte("<default>"), &config), "</default>"...))}
}

func (s *Service) configure(ctx context.Context, r *request) feature.Answer {
	if refusal := r.owned(); refusal.Condition != "" {
		return refusal
	}
	form := r.op.Child(nsData, "x")
	switch {
	case !form.Exists():
		return refuse(stanza.Modify, stanza.BadRequest, "invalid-options")
	case attribute(form, "type") == "cancel":
		return feature.Answer{}
	}
	options, err := readForm(form, nodeConfig)
	if err != nil {
		return formMistake(err, nodeConfig)
	}
	if _, err := s.accounts.ConfigureNode(ctx, r.q.Account, r.node, options); err != nil {
		return s.mistake(err, r.q.Account)
	}
	return feature.Answer{}
}

// delete removes a node with all that it holds (section 8.4).
func (s *Service) delete(ctx context.Context, r *request) feature.Answer {
	if refusal := r.owned(); refusal.Condition != "" {
		return refusal
	}
	n, err := s.accounts.DeleteNode(ctx, r.q.Account, r.node)
	if err != nil {
		return s.mistake(err, r.q.Account)
	}
	s.notify(ctx, r.q.Account, &n, append(appendOpen(nil, "delete", r.node), "/>"...))
	return feature.Answer{}
}

// purge removes all items of a node (section 8.5).
func (s *Service) purge(ctx context.Context, r *request) feature.Answer {
	if refusal := r.owned(); refusal.Condition != "" {
		return refusal
	}
	n, err := s.accounts.Purge(ctx, r.q.Account, r.node)
	if err != nil {
		return s.mistake(err, r.q.Account)
	}
	s.notify(ctx, r.q.Account, &n, append(appendOpen(nil, "purge", r.node), "/>"...))
	return feature.Answer{}
}
