package push

import (
	"context"
	"crypto/rand"
	"math"
	"time"

	"signalbox/internal/endpoint"
)

func (m *memory) AcceptTargets(_ context.Context, c FanoutChunk) (AcceptedChunk, error) {
	type answer struct {
		out AcceptedChunk
		err error
	}
	answers := make(chan answer, 1)
	m.jobs <- func() {
		out, err := m.acceptTargets(c)
		answers <- answer{out, err}
	}
	a := <-answers
	return a.out, a.err
}

func (m *memory) acceptTargets(c FanoutChunk) (AcceptedChunk, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing != nil {
		return AcceptedChunk{}, m.failing
	}
	if m.failChunk != nil && c.Push.ID != 0 {
		if err := m.failChunk(); err != nil {
			return AcceptedChunk{}, err
		}
	}
	if c.Push.ID == 0 {
		if id, used := m.keys[keyOf(c.Idempotency)]; used && m.fanouts[id] != nil {
			f := *m.fanouts[id]
			f.Replayed = true
			return AcceptedChunk{Fanout: f}, nil
		}
		if c.Refuse != nil {
			return AcceptedChunk{}, c.Refuse
		}
		m.next++
		p := c.Push
		p.ID, p.Created, p.Payload = m.next, time.Now(), nil
		m.fanouts[p.ID] = &Fanout{Push: p, Targets: c.Targets, Selector: c.Selector, Late: c.Late}
		m.keys[keyOf(c.Idempotency)] = p.ID
		c.Push.ID = p.ID
	}
	f := m.fanouts[c.Push.ID]
	out := AcceptedChunk{Created: time.Now()}
	to := c.To
	if to == nil {
		to = m.membersLocked(c.Selector, f.Reached, c.Limit)
		if f.Reached += int64(len(to)); len(to) < c.Limit {
			f.Targets, f.Reached = f.Stored+len(to), math.MaxInt64
		}
	}
	for _, id := range to {
		if c.Enter != nil {
			c.Enter(endpoint.Key{Domain: c.Push.To.Domain, ID: id})
		}
		target, ended := m.targetLocked(f, id, c.Push, c.Queue, c.Claim)
		out.Targets, out.Ended = append(out.Targets, target), append(out.Ended, ended...)
	}
	out.Fanout = *f
	return out, nil
}

// targetLocked adds a target to a fan-out.
func (m *memory) targetLocked(f *Fanout, id string, p Push, q Queue, claim Claim) (Target, []Ended) {
	p.To, p.Fanout = endpoint.Key{Domain: p.To.Domain, ID: id}, f.ID
	older, dropped, full := m.roomLocked(p, q, claim)
	r := m.insertLocked(p)
	target := Target{ID: r.ID, To: id}
	switch {
	case id == "unknown":
		target.Reason = ReasonUnknown
	case full:
		target.Reason = ReasonQueueFull
	}
	f.Stored++
	if target.Reason != "" {
		r.State, r.History = Rejected, []Change{{State: Rejected, At: r.Created, Reason: target.Reason}}
		f.Refused++
		return target, nil
	}
	return target, m.endLocked(r, older, dropped)
}

// keyOf makes a key that nobody else has of none.
func keyOf(i *Idempotency) Idempotency {
	if i == nil {
		return Idempotency{Token: "\x00" + rand.Text()}
	}
	return *i
}

func (m *memory) Fanout(ctx context.Context, domain string, id ID) (Fanout, error) {
	f, err := m.FanoutProgress(ctx, domain, id)
	all, _ := m.Deliveries(ctx, domain, id, "", 0, MaxTargets)
	f.Counts = Counts{}
	for _, st := range all {
		f.Counts[st.State]++
	}
	return f, err
}

func (m *memory) FanoutProgress(_ context.Context, domain string, id ID) (Fanout, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.fanouts[id]
	if f == nil || f.To.Domain != domain {
		return Fanout{}, ErrUnknown
	}
	out := *f
	for _, r := range m.rows {
		if r.Fanout == id && !Final(r.State, r.Ack) {
			out.Open++
		}
	}
	return out, nil
}

func (m *memory) Deliveries(_ context.Context, domain string, fanout ID, state State, after ID, limit int) ([]Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var sts []Status
	for id := after + 1; id <= m.next && len(sts) < limit; id++ {
		if r := m.rows[id]; r != nil && r.Fanout == fanout && r.To.Domain == domain && (state == "" || r.State == state) {
			sts = append(sts, m.copy(r))
		}
	}
	return sts, nil
}
