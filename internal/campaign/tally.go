package campaign

import (
	"context"
	"maps"
	"time"

	"signalbox/internal/push"
)

// countingShare bounds what counting costs: of the time of all campaigns together, one part in so many.
const countingShare = 20

// counted is what had become of a campaign's pushes when they were counted last.
type counted struct {
	counts push.Counts
	sent   int       // targets that were sent by then
	next   time.Time // before which they are not counted again
}

// counts returns what has become of the pushes of one of so many campaigns. Counting reads a row for each target, so a large campaign is not counted in each look: its
// states are a little old then, and what was sent since counts as accepted, which nothing ends early. Run's goroutine alone calls it.
func (s *Service) counts(ctx context.Context, c Campaign, among int) (push.Counts, error) {
	known, ok := s.counted[c.ID]
	if !ok || !time.Now().Before(known.next) {
		begun := time.Now()
		fresh, err := s.store.CampaignCounts(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		now := time.Now()
		known = counted{fresh, c.Sent, now.Add(now.Sub(begun) * countingShare * time.Duration(among))}
		s.counted[c.ID] = known
	}
	if known.sent == c.Sent {
		return known.counts, nil
	}
	counts := maps.Clone(known.counts)
	counts[push.Accepted] += c.Sent - known.sent
	return counts, nil
}
