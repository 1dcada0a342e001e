package peer

import (
	"testing"
	"time"
)

// A connection is stale once the other side was lost for long, and stays so: neither the search for the first way nor a short loss makes it that.
func TestStale(t *testing.T) {
	type change struct {
		after time.Duration
		to    State
	}
	for _, tt := range []struct {
		name    string
		changes []change
		now     time.Duration // since the last of them
		want    bool
	}{
		{"never reached", []change{{0, Connecting}, {time.Minute, Failed}}, time.Minute, false},
		{"reached late", []change{{0, Connecting}, {time.Minute, Connected}}, time.Minute, false},
		{"lost a moment ago", []change{{0, Connected}, {time.Hour, Disconnected}}, staleAfter - 1, false},
		{"lost for long", []change{{0, Connected}, {time.Hour, Disconnected}}, staleAfter, true},
		{"a short loss", []change{{0, Connected}, {time.Hour, Disconnected}, {staleAfter - 1, Connected}}, time.Hour, false},
		{"two short losses", []change{{0, Connected}, {time.Hour, Disconnected}, {staleAfter - 1, Connected}, {time.Hour, Disconnected}, {staleAfter - 1, Connected}}, 0, false},
		{"back after a long loss", []change{{0, Connected}, {time.Hour, Disconnected}, {staleAfter, Connected}}, time.Hour, true},
		{"a restart within a loss is no end of it", []change{{0, Connected}, {time.Hour, Disconnected}, {1, Connecting}, {staleAfter - 1, Connected}}, 0, true},
		{"a short loss after a long one", []change{{0, Connected}, {time.Hour, Disconnected}, {time.Hour, Connected}, {1, Disconnected}, {1, Connected}}, 0, true},
	} {
		p, at := &Peer{}, time.Unix(1_800_000_000, 0)
		for _, c := range tt.changes {
			at = at.Add(c.after)
			p.noteLoss(c.to, at)
		}
		if got := p.staleAt(at.Add(tt.now)); got != tt.want {
			t.Errorf("%s: stale = %v, want %v", tt.name, got, tt.want)
		}
	}
}
