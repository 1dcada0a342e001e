package push

import (
	"context"
	"maps"
	"slices"
	"time"

	"signalbox/internal/endpoint"
)

// roomLocked finds what a push puts an end to, and whether there is no room for it all the same.
func (m *memory) roomLocked(p Push, q Queue, claim Claim) (older, dropped []ID, full bool) {
	may := func(id ID) bool { return claim == nil || claim(p.To, id) }
	count := m.openLocked(p.To)
	for id := ID(1); p.CollapseKey != "" && id <= m.next; id++ {
		if r := m.rows[id]; r != nil && r.To == p.To && r.CollapseKey == p.CollapseKey && r.State == Accepted && r.TTL > 0 && may(id) {
			older = append(older, id)
			count--
		}
	}
	if p.TTL == 0 || count < q.Count {
		return older, nil, false
	}
	if !q.DropOldest {
		return nil, nil, true
	}
	for _, r := range m.rows {
		if r.To == p.To && r.CollapseKey == ResyncKey && !Final(r.State, r.Ack) {
			count--
		}
	}
	for place := int(Low); place >= int(p.Priority); place-- {
		for id := ID(1); id <= m.next && count >= q.Count; id++ {
			r := m.rows[id]
			if r != nil && r.To == p.To && int(r.Priority) == place && r.State == Accepted && !r.later && r.TTL > 0 && r.CollapseKey != ResyncKey && !slices.Contains(older, id) && may(id) {
				dropped = append(dropped, id)
				count--
			}
		}
	}
	if count >= q.Count {
		return nil, nil, true
	}
	return older, dropped, false
}

// endLocked ends what roomLocked found for r.
func (m *memory) endLocked(r *row, older, dropped []ID) (ended []Ended) {
	for _, id := range older {
		m.rows[id].change(Change{State: Replaced, At: time.Now(), Reason: ReasonCollapsed, By: r.ID})
		ended = append(ended, Ended{ID: id, Fanout: m.rows[id].Fanout, State: Replaced})
	}
	for _, id := range dropped {
		m.rows[id].change(Change{State: Rejected, At: time.Now(), Reason: ReasonDropped})
		ended = append(ended, Ended{ID: id, Fanout: m.rows[id].Fanout, State: Rejected})
	}
	if len(dropped) == 0 {
		return ended
	}
	waits := false
	for _, other := range m.rows {
		waits = waits || other.To == r.To && other.CollapseKey == ResyncKey && other.State == Accepted
	}
	if !waits {
		m.insertLocked(Push{To: r.To, Type: ResyncType, Priority: High, TTL: MaxTTL, CollapseKey: ResyncKey})
	}
	return ended
}

// newerLocked returns the newest push behind r with its collapse key that waits or was sent.
func (m *memory) newerLocked(r *row) ID {
	for id := m.next; r.CollapseKey != "" && id > r.ID; id-- {
		if n := m.rows[id]; n != nil && n.To == r.To && n.CollapseKey == r.CollapseKey && (n.State == Accepted && n.TTL > 0 || slices.Contains([]State{Sent, Delivered, Handled, Failed}, n.State)) {
			return id
		}
	}
	return 0
}

func (m *memory) membersLocked(sel Selector, after int64, limit int) (ids []string) {
	for i, id := range slices.Sorted(maps.Keys(m.groups)) {
		if int64(i) >= after && len(ids) < limit && sel.Matches(nil, m.groups[id]) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (m *memory) CountMembers(_ context.Context, _ string, sel Selector, limit int) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.membersLocked(sel, 0, limit)), nil
}

// join puts an endpoint into groups.
func (m *memory) join(id string, groups ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.groups[id] = groups
	m.changed = append(m.changed, id)
}

func (m *memory) AdmitLate(_ context.Context, now time.Time, q Queue, claim Claim, enter Enter) (out Admission, more bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing != nil {
		return Admission{}, false, m.failing
	}
	for _, id := range m.changed {
		for _, f := range m.fanouts {
			k := endpoint.Key{Domain: f.To.Domain, ID: id}
			if !f.Late || !now.Before(f.Expires()) || !f.Selector.Matches(nil, m.groups[id]) || m.hasLocked(f.ID, k) {
				continue
			}
			p := f.Push
			p.TTL = f.Expires().Sub(now)
			enter(k)
			t, ended := m.targetLocked(f, id, p, q, claim)
			f.Targets++
			out.Targets = append(out.Targets, Admitted{ID: t.ID, Fanout: f.ID, To: k, Reason: t.Reason})
			out.Ended = append(out.Ended, ended...)
		}
	}
	m.changed = nil
	return out, false, nil
}

func (m *memory) hasLocked(fanout ID, k endpoint.Key) bool {
	for _, r := range m.rows {
		if r.Fanout == fanout && r.To == k {
			return true
		}
	}
	return false
}

// firstFanout returns the oldest fan-out.
func (m *memory) firstFanout() ID {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Min(slices.Collect(maps.Keys(m.fanouts)))
}

// deleteEndpoint deletes the pushes of an endpoint.
func (m *memory) deleteEndpoint(k endpoint.Key) {
	m.mu.Lock()
	maps.DeleteFunc(m.rows, func(_ ID, r *row) bool { return r.To == k })
	m.mu.Unlock()
	m.deleted(k)
}

func (m *memory) Deleted(f func(endpoint.Key)) { m.deleted = f }

func (m *memory) CloseFanout(_ context.Context, _ string, id ID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.fanouts[id]; f != nil {
		if m.failing == nil {
			f.Late, m.closed[id] = false, true
		}
		return m.failing
	}
	return ErrUnknown
}

func (m *memory) ReleasePushes(_ context.Context, now time.Time, limit int) (keys []endpoint.Key, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.rows {
		if m.failing == nil && r.later && r.State == Accepted && !now.Before(r.NotBefore) && len(keys) < limit {
			r.later = false
			keys = append(keys, r.To)
		}
	}
	return keys, m.failing
}

func (m *memory) AcceptBatch(_ context.Context, b BatchSubmission) (AcceptedBatch, error) {
	type answer struct {
		out AcceptedBatch
		err error
	}
	answers := make(chan answer, 1)
	m.jobs <- func() {
		out, err := m.acceptBatch(b)
		answers <- answer{out, err}
	}
	a := <-answers
	return a.out, a.err
}

func (m *memory) acceptBatch(b BatchSubmission) (AcceptedBatch, error) {
	m.mu.Lock()
	id, used := m.keys[keyOf(b.Idempotency)]
	out, failing := m.batches[id], m.failing
	m.mu.Unlock()
	if used {
		out.Replayed = true
		return out, nil
	}
	if failing != nil {
		return AcceptedBatch{}, failing
	}
	for i, p := range b.Items {
		item := BatchItem{Err: b.Errs[i]}
		if item.Err == nil {
			item.Status, item.Err = m.accept(Submission{Push: p, Queue: b.Queue, Claim: b.Claim})
			out.Ended = append(out.Ended, item.Status.Ended...)
		}
		out.Items = append(out.Items, item)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next++
	m.keys[keyOf(b.Idempotency)], m.batches[m.next] = m.next, out
	return out, nil
}
