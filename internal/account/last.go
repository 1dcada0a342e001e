package account

import (
	"context"
	"strings"
	"time"

	"signalbox/internal/endpoint"
)

// SetLast keeps when an account went offline and what its last unavailable presence said (XEP-0012 section 4). It does not block, and nobody waits for the disk. Of a
// text that is too long the start is kept.
func (s *Service) SetLast(k endpoint.Key, status string, at time.Time) {
	if len(status) > MaxStatusBytes {
		status = strings.ToValidUTF8(status[:MaxStatusBytes], "")
	}
	s.store.Queue(k, len(status), func(tx Tx) error { return tx.SaveLast(status, at) }, nil)
}

// Last returns what SetLast kept; the zero time where it kept nothing. What it was told a moment ago may not be there yet.
func (s *Service) Last(ctx context.Context, k endpoint.Key) (status string, at time.Time, err error) {
	return s.store.Last(ctx, k)
}
