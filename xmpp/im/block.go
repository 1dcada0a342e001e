package im

import (
	"context"
	"slices"
	"strings"

	"signalbox/internal/account"
	"signalbox/internal/endpoint"
	"signalbox/internal/telemetry"
	"signalbox/xmpp/feature"
)

// Blocked implements feature.BlockedPresence: whom the account blocks from now on sees its clients go (XEP-0191 section 3.3).
func (s *Service) Blocked(ctx context.Context, c feature.Client, addresses []string) {
	s.reshow(c.Key(), s.contacts(ctx, c.Key()), addresses, func(own, theirs feature.Client, _ []byte) {
		if !s.accounts.IsBlocked(theirs.Key(), own.JID()) {
			theirs.SendPresence(own.JID(), unavailable(own))
		}
	})
	s.undirect(c.Key(), addresses)
}

// Unblocked implements feature.BlockedPresence: whom the account blocked until now sees its clients come (section 3.4), and they see who is there.
func (s *Service) Unblocked(ctx context.Context, c feature.Client, addresses []string) {
	contacts := s.contacts(ctx, c.Key())
	s.reshow(c.Key(), contacts, addresses, func(own, theirs feature.Client, raw []byte) {
		if !s.shun(own, theirs) {
			theirs.SendPresence(own.JID(), raw)
		}
	})
	for _, item := range contacts {
		to, ok := s.address(item.JID)
		names := func(a string) bool { return covered(item.JID, []string{a}) || covered(a, []string{item.JID}) }
		if !ok || item.Subscription&account.To == 0 || !slices.ContainsFunc(addresses, names) {
			continue
		}
		for _, own := range s.available(c.Key(), -128) {
			if to.Domain == s.domain {
				s.probe(ctx, own, to)
			} else {
				s.ask(own, item.JID)
			}
		}
	}
}

// contacts returns the roster of an account for what is done without it if it cannot be read.
func (s *Service) contacts(ctx context.Context, k endpoint.Key) []account.Item {
	roster, err := s.accounts.Roster(ctx, k)
	if err != nil {
		s.log.Error("roster could not be read", telemetry.Endpoint(k.JID()), telemetry.Cause(err))
	}
	return roster.Items
}

// reshow calls f with each available client of an account, its presence, and each available client of those of its contacts that the addresses cover.
func (s *Service) reshow(k endpoint.Key, contacts []account.Item, addresses []string, f func(own, theirs feature.Client, raw []byte)) {
	for _, item := range contacts {
		to, ok := s.address(item.JID)
		if !ok || item.Subscription&account.From == 0 {
			continue
		}
		s.eachPresence(k, func(own feature.Client, raw []byte) {
			for _, theirs := range s.watching(to.Key) {
				if covered(theirs.JID(), addresses) {
					f(own, theirs, raw)
				}
			}
		})
	}
}

// undirect ends the presence that clients of an account directed to those whom the addresses cover.
func (s *Service) undirect(k endpoint.Key, addresses []string) {
	order := s.order(k)
	order.Lock()
	defer order.Unlock()
	for _, own := range s.clients(k) {
		for _, to := range own.State().TakeDirected() {
			if !covered(to, addresses) {
				own.State().Direct(to, true)
				continue
			}
			at, _ := s.address(to)
			for _, theirs := range s.at(at) {
				if !s.accounts.IsBlocked(theirs.Key(), own.JID()) {
					theirs.SendPresence(own.JID(), unavailable(own))
				}
			}
		}
	}
}

// covered reports whether one of the addresses is the JID, its bare JID, its domain with the resource, or its domain.
func covered(jid string, addresses []string) bool {
	bare, _, _ := strings.Cut(jid, "/")
	local := strings.IndexByte(bare, '@') + 1
	for _, a := range addresses {
		if a == jid || a == bare || a == jid[local:] || a == bare[local:] {
			return true
		}
	}
	return false
}
