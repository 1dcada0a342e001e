package im

import (
	"context"
	"strings"

	"signalbox/internal/account"
	"signalbox/internal/endpoint"
	"signalbox/internal/telemetry"
	"signalbox/xmpp/feature"
)

// Blocked implements feature.BlockedPresence: contacts that the account is about to block see its clients go (XEP-0191 section 3.3).
func (s *Service) Blocked(ctx context.Context, c feature.Client, addresses []string) {
	s.reshow(ctx, c.Key(), addresses, func(own feature.Client) []byte {
		return unavailable(own)
	})
}

// Unblocked implements feature.BlockedPresence: contacts that the account blocks no longer see its clients come (section 3.4).
func (s *Service) Unblocked(ctx context.Context, c feature.Client, addresses []string) {
	s.reshow(ctx, c.Key(), addresses, func(own feature.Client) []byte { return own.State().Presence().Raw })
}

// reshow sends a presence of each available client of an account to those of its contacts that the addresses cover, unless the contact blocks the account.
func (s *Service) reshow(ctx context.Context, k endpoint.Key, addresses []string, presence func(feature.Client) []byte) {
	roster, err := s.accounts.Roster(ctx, k)
	if err != nil {
		s.log.Error("roster could not be read", telemetry.Endpoint(k.JID()), telemetry.Cause(err))
		return
	}
	for _, item := range roster.Items {
		to, ok := s.parse(item.JID)
		if !ok || item.Subscription&account.From == 0 || !covered(item.JID, addresses) || s.blocked(k, to.Key) {
			continue
		}
		for _, own := range s.available(k, -128) {
			s.tell(to.Key, presence(own))
		}
	}
}

// covered reports whether one of the addresses is the bare JID or its domain.
func covered(bare string, addresses []string) bool {
	_, domain, _ := strings.Cut(bare, "@")
	for _, a := range addresses {
		if a == bare || a == domain {
			return true
		}
	}
	return false
}
