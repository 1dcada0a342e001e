package endpoint

import (
	"testing"
	"time"
)

// TestLeavePostponesEvents: of endpoints that are sent away nothing is told before they were wanted back; of others as always.
func TestLeavePostponesEvents(t *testing.T) {
	r, p, _ := newTestRegistry(t)
	grace := r.cfg.OfflineGrace
	until := clock().Add(10 * time.Minute)
	for _, tc := range []struct {
		name   string
		leave  time.Time
		reason Reason
		late   bool
	}{
		{"sent away", until, ReasonShutdown, true},
		{"lost meanwhile", until, ReasonConnectionLost, false},
		{"a drain that is over", clock().Add(-time.Minute), ReasonShutdown, false},
		{"taken back", time.Time{}, ReasonShutdown, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r.Leave(tc.leave)
			s := &fake{r: r, k: pc1}
			if err := s.bind(); err != nil {
				t.Fatal(err)
			}
			r.Suspend(pc1, s, 0, tc.reason)
			saved := p.all[pc1]
			want := saved.Since.Add(grace)
			if tc.late {
				want = until.Add(grace)
			}
			if !saved.Tell.Equal(want) {
				t.Errorf("told at %v, want %v", saved.Tell, want)
			}
		})
	}
}
