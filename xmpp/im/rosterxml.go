package im

import (
	"context"

	"signalbox/internal/endpoint"
)

// RosterXML returns the roster of an account as its clients read it, or endpoint.ErrUnknown.
func (s *Service) RosterXML(ctx context.Context, k endpoint.Key) ([]byte, error) {
	r, err := s.accounts.Roster(ctx, k)
	if err != nil {
		return nil, err
	}
	b := []byte("<query xmlns='" + nsRoster + "'>")
	for i := range r.Items {
		b = appendItem(b, &r.Items[i], true)
	}
	return append(b, "</query>"...), nil
}
