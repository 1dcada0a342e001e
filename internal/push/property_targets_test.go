package push

import (
	"errors"
	"slices"

	"signalbox/internal/endpoint"
)

// batch posts pushes that all have one collapse key.
func (s *sim) batch(k endpoint.Key, n int, p Push) {
	s.wg.Go(func() {
		items := make([]Push, n)
		for i := range items {
			items[i] = p
			items[i].To = k
		}
		out, err := s.svc.SubmitBatch(s.t.Context(), BatchRequest{Items: items, Errs: make([]error, n)})
		if err != nil && !errors.Is(err, ErrNoSpace) {
			s.breakf("SubmitBatch() = %v", err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, item := range out.Items {
			if item.Err == nil {
				s.ids = append(s.ids, item.Status.ID)
			}
		}
	})
}

// group posts a push for a group that takes late joiners.
func (s *sim) group(p Push) {
	s.wg.Go(func() {
		f, err := s.svc.SubmitFanout(s.t.Context(), FanoutRequest{Push: p, Selector: Selector{Group: "lab"}, Late: true})
		if err != nil && !errors.Is(err, ErrNoSpace) {
			s.breakf("SubmitFanout(group) = %v", err)
		}
		if err == nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.late = append(s.late, f.ID)
		}
	})
}

// checkCollapsed: nothing is sent behind a newer push with its collapse key, whatever its priority, in any session, unless the newer one came to nothing; and
// nothing ends as replaced by an older one.
func (s *sim) checkCollapsed() {
	newest := map[string]ID{}
	for _, ss := range s.logs {
		for _, m := range ss.log {
			p := m.push
			st := s.status(p.ID)
			if st.CollapseKey == "" || st.TTL == 0 {
				continue
			}
			key := st.To.ID + "/" + st.CollapseKey
			if last := newest[key]; p.ID < last && !slices.Contains([]State{Expired, Cancelled}, s.status(last).State) {
				s.breakf("%s sent after %s, which has its collapse key", p.ID, last)
			}
			newest[key] = max(newest[key], p.ID)
		}
	}
	for _, id := range s.ids {
		st := s.status(id)
		if c := st.History[len(st.History)-1]; st.State == Replaced && (c.By <= id || c.Reason != ReasonCollapsed) {
			s.breakf("%s is replaced by %s", id, c.By)
		}
	}
}

// checkLate: who is in the group is a target of all of its fan-outs, once.
func (s *sim) checkLate() {
	for _, id := range s.late {
		all, err := s.svc.Deliveries(s.t.Context(), pc1.Domain, id, "", 0, 100)
		got := map[string]int{}
		for _, st := range all {
			got[st.To.ID]++
		}
		for _, k := range []string{"pc-0", "pc-1"} {
			s.store.mu.Lock()
			member := slices.Contains(s.store.groups[k], "lab")
			s.store.mu.Unlock()
			if got[k] > 1 || member && got[k] == 0 || err != nil {
				s.breakf("%s is a target of %s %d times, member %v, %v", k, id, got[k], member, err)
			}
		}
	}
}
