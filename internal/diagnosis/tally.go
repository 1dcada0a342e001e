package diagnosis

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Count is how often something was refused in the last hour.
type Count struct {
	Code string
	N    int
	At   time.Time // of the newest
	From netip.Addr
}

// Limit reports whether it was a limit of ours that refused.
func (c Count) Limit() bool {
	return c.Code == "throttled" || c.Code == "too_many_connections" || c.Code == "handshake_queue"
}

// Seen says what was refused.
func (c Count) Seen() string { return find(c.Code).Seen }

// tally counts attempts by code in the minutes of the last hour. There are as many codes as the catalogue has. Its Memory's lock guards it.
type tally map[string]*minutes

// minutes are counts in a ring of 60.
type minutes struct {
	counts [60]int
	minute int64 // Unix minute of the newest count
	at     time.Time
	from   netip.Addr
}

func (t tally) add(a Attempt) {
	m := t[a.Code]
	if m == nil {
		if find(a.Code).Name == "" {
			return
		}
		m = &minutes{}
		t[a.Code] = m
	}
	m.turn(a.At)
	m.counts[m.minute%60]++
	m.at, m.from = a.At, a.Remote.Addr()
}

// turn empties the minutes that have passed.
func (m *minutes) turn(now time.Time) {
	minute := now.Unix() / 60
	for passed := max(m.minute+1, minute-59); passed <= minute; passed++ {
		m.counts[passed%60] = 0
	}
	m.minute = max(m.minute, minute)
}

// LastHour returns what was refused in the last hour, the most frequent first.
func (m *Memory) LastHour() (counts []Count) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	for code, t := range m.tally {
		t.turn(now)
		c := Count{Code: code, At: t.at, From: t.from}
		for _, n := range t.counts {
			c.N += n
		}
		if c.N > 0 {
			counts = append(counts, c)
		}
	}
	slices.SortFunc(counts, func(a, b Count) int { return cmp.Or(b.N-a.N, cmp.Compare(a.Code, b.Code)) })
	return counts
}
