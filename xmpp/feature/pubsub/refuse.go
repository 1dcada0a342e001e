package pubsub

import (
	"context"
	"errors"

	"mellium.im/xmpp/stanza"

	"signalbox/internal/account"
	"signalbox/xmpp/feature"
)

// refuse is an error with a condition of XEP-0060 in it.
func refuse(t stanza.ErrorType, c stanza.Condition, detail string) feature.Answer {
	a := feature.Refuse(t, c)
	a.Detail = "<" + detail + " xmlns='" + nsErrors + "'/>"
	return a
}

var nodeRequired = refuse(stanza.Modify, stanza.BadRequest, "nodeid-required")

// readable returns the node that is asked for, or why the asker does not get it. Strangers are told nothing of what they may not read, so that they cannot find out which
// accounts and nodes there are; contacts are told what XEP-0060 says (section 6.5.9).
func (s *Service) readable(ctx context.Context, r *request) (account.Node, feature.Answer) {
	if r.node == "" {
		return account.Node{}, nodeRequired
	}
	n, err := s.accounts.Node(ctx, r.q.Account, r.node)
	switch {
	case err != nil && !errors.Is(err, account.ErrNoNode):
		return n, s.mistake(err, r.q.Account)
	case err == nil && r.admitted(r.q.Account, &n):
		return n, feature.Answer{}
	case r.stranger():
		return n, feature.Unavailable()
	case err != nil:
		return n, s.mistake(err, r.q.Account)
	case n.Affiliations[r.jid] == account.Outcast:
		return n, feature.Refuse(stanza.Auth, stanza.Forbidden)
	case n.Config.Access == account.AccessRoster:
		return n, refuse(stanza.Auth, stanza.NotAuthorized, "not-in-roster-group")
	}
	return n, refuse(stanza.Cancel, stanza.NotAllowed, "closed-node")
}

// writable is readable for who wants to publish.
func (s *Service) writable(ctx context.Context, r *request) feature.Answer {
	if r.node == "" {
		return nodeRequired
	}
	if r.own {
		return feature.Answer{} // a node that does not exist is made
	}
	n, refusal := s.readable(ctx, r)
	if refusal.Condition == "" && !n.MayPublish(r.q.Account, r.jid) {
		return feature.Refuse(stanza.Auth, stanza.Forbidden)
	}
	return refusal
}

// owned refuses what only the owner may do.
func (r *request) owned() feature.Answer {
	switch {
	case r.own && r.node == "":
		return nodeRequired
	case r.own:
		return feature.Answer{}
	case r.stranger():
		return feature.Unavailable()
	}
	return feature.Refuse(stanza.Auth, stanza.Forbidden)
}
