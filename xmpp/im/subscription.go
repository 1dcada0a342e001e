package im

import (
	"context"

	"signalbox/internal/account"
	"signalbox/internal/endpoint"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

var subscriptionTypes = map[string]account.Presence{
	"subscribe": account.Subscribe, "subscribed": account.Subscribed, "unsubscribe": account.Unsubscribe, "unsubscribed": account.Unsubscribed,
}

// subscription applies a presence of a subscription to both accounts and tells their clients (RFC 6121 section 3). Addresses are bare, whatever the client wrote
// (sections 3.1.2 and 3.1.5).
func (s *Service) subscription(ctx context.Context, c feature.Client, el *scan.Stanza, to endpoint.Key, p account.Presence) feature.Answer {
	raw := scan.Edit{From: c.Key().JID(), To: to.JID(), Drop: s.forged}.AppendTo(make([]byte, 0, len(el.Raw)+64), el)
	x, err := s.accounts.Send(ctx, c.Key(), to.JID(), p, raw)
	if err != nil {
		return s.accountMistake(err, c.Key())
	}
	s.push(c.Key(), x.Owner)
	if !x.Local {
		if x.Owner.Pass && to.Domain != s.domain {
			s.tell(to, raw)
		}
		s.reveal(ctx, c.Key(), to, x.Owner)
		return feature.Answer{}
	}
	if x.Contact.Pass && !s.blocked(c.Key(), to) {
		s.tell(to, raw)
	}
	s.push(to, x.Contact)
	if x.Answer != 0 {
		s.tell(c.Key(), appendPresence(nil, x.Answer.String(), to.JID(), c.Key().JID()))
	}
	s.reveal(ctx, c.Key(), to, x.Owner)
	s.reveal(ctx, to, c.Key(), x.Contact)
	return feature.Answer{}
}

// tell sends a presence of a subscription to all available clients of an account, or to a component.
func (s *Service) tell(k endpoint.Key, raw []byte) {
	for _, c := range s.watching(k) {
		c.Send(raw)
	}
}

// reveal shows the presence of an account's clients to a contact that may know it from now on, or takes it away from one that may no longer.
func (s *Service) reveal(ctx context.Context, of, to endpoint.Key, ch account.Change) {
	before, after := ch.Before.Subscription&account.From != 0, ch.Item.Subscription&account.From != 0
	if before == after || s.blocked(of, to) {
		return
	}
	s.eachPresence(of, func(c feature.Client, raw []byte) {
		if !after {
			raw = unavailable(c)
		}
		s.show(c, to, raw)
	})
	if after {
		s.features.Revealed(ctx, of, to)
	}
}

// accountMistake is the answer for an error of internal/account.
func (s *Service) accountMistake(err error, k endpoint.Key) feature.Answer {
	a, ok := feature.Mistake(err)
	if !ok {
		return s.trouble("account could not be changed", k, err)
	}
	return a
}
