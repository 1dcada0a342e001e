package pubsub

import (
	"context"
	"errors"
	"time"

	"mellium.im/xmpp/stanza"

	"signalbox/internal/account"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

// publish stores an item and notifies of it (XEP-0060 section 7.1).
func (s *Service) publish(ctx context.Context, r *request) feature.Answer {
	if refusal := s.writable(ctx, r); refusal.Condition != "" {
		return refusal
	}
	item, refusal := readItem(r)
	if refusal.Condition != "" {
		return refusal
	}
	options, err := readForm(r.q.Payload.Child(nsPubSub, "publish-options").Child(nsData, "x"), publishOptions)
	if err != nil {
		return formMistake(err, publishOptions)
	}
	done, err := s.accounts.Publish(ctx, r.q.Account, r.node, item, options)
	if errors.Is(err, account.ErrTooLarge) {
		return refuse(stanza.Modify, stanza.NotAcceptable, "payload-too-big")
	}
	if err != nil {
		return s.mistake(err, r.q.Account)
	}
	s.notify(ctx, r.q.Account, &done.Node, itemEvent(r.node, &done.Item, r.q.Account.JID()))
	b := append(appendOpen(nil, "publish", r.node), "><item"...)
	return feature.Answer{Payload: wrap(nsPubSub, append(scan.AppendAttribute(b, "id", done.Item.ID), "/></publish>"...))}
}

// readItem reads the one item of a publication with its one payload.
func readItem(r *request) (item account.NodeItem, refusal feature.Answer) {
	var el, payload scan.Element
	for c := range r.op.Children() {
		if el.Exists() || !c.Is(nsPubSub, "item") {
			return item, feature.Refuse(stanza.Modify, stanza.BadRequest)
		}
		el = c
	}
	if !el.Exists() {
		return item, refuse(stanza.Modify, stanza.BadRequest, "item-required")
	}
	for c := range el.Children() {
		if payload.Exists() {
			return item, refuse(stanza.Modify, stanza.BadRequest, "invalid-payload")
		}
		payload = c
	}
	switch {
	case !payload.Exists():
		return item, refuse(stanza.Modify, stanza.BadRequest, "payload-required")
	case len(payload.Raw()) > account.MaxPayloadBytes:
		return item, refuse(stanza.Modify, stanza.NotAcceptable, "payload-too-big")
	case r.q.Stanza.NestedStanza: // whoever forwards one would speak for others (XEP-0297)
		return item, refuse(stanza.Modify, stanza.NotAcceptable, "invalid-payload")
	}
	return account.NodeItem{ID: attribute(el, "id"), Payload: payload.AppendAlone(nil), Publisher: r.jid, At: time.Now().UTC()}, feature.Answer{}
}

// retract deletes an item and notifies of it (section 7.2).
func (s *Service) retract(ctx context.Context, r *request) feature.Answer {
	if refusal := s.writable(ctx, r); refusal.Condition != "" {
		return refusal
	}
	id := attribute(r.op.Child(nsPubSub, "item"), "id")
	if id == "" {
		return refuse(stanza.Modify, stanza.BadRequest, "item-required")
	}
	n, err := s.accounts.Retract(ctx, r.q.Account, r.node, id)
	if err != nil {
		return s.mistake(err, r.q.Account)
	}
	b := append(appendOpen(nil, "items", r.node), "><retract"...)
	s.notify(ctx, r.q.Account, &n, append(scan.AppendAttribute(b, "id", id), "/></items>"...))
	return feature.Answer{}
}
