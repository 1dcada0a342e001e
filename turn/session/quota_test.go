package session

import (
	"errors"
	"testing"

	"signalbox/turn/control"
	"signalbox/turn/policy"
)

func TestQuotas(t *testing.T) {
	w := newWorld(t, Limits{Allocations: 6, TechnicianAllocations: 4, SessionAllocations: 3}, policy.Config{})
	a, b := w.open(control.Session{ID: "one", Technician: "anna"})
	second, _ := w.open(control.Session{ID: "two", Technician: "anna"})
	nobody, _ := w.open(control.Session{ID: "three"})
	other, _ := w.open(control.Session{ID: "four", Technician: "ben", MaxAllocations: 9})

	refused := func(s *Side, want error) {
		t.Helper()
		if release, err := s.Reserve(); !errors.Is(err, want) || release != nil {
			t.Errorf("Reserve says %v, want %v", err, want)
		}
	}
	reserve(t, a, 2)
	release := reserve(t, b, 1)[0]
	refused(a, ErrSessionQuota)
	reserve(t, second, 1)
	refused(second, ErrTechnicianQuota)
	reserve(t, nobody, 2)
	refused(other, ErrTotalQuota)

	release()
	release()
	reserve(t, second, 1) // what side b gave back, once
	refused(other, ErrTotalQuota)
	refused(b, ErrTechnicianQuota)

	want := Stats{Sessions: 4, Allocations: 6, SessionQuota: 1, TechnicianQuota: 2, TotalQuota: 2}
	if got := w.Stats(); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

// TestQuotaOfASession: its own limit counts where it is smaller, and where there is no other.
func TestQuotaOfASession(t *testing.T) {
	for _, tc := range []struct{ own, all, want int }{{0, 0, 100}, {2, 0, 2}, {0, 3, 3}, {2, 3, 2}, {5, 3, 3}} {
		w := newWorld(t, Limits{SessionAllocations: tc.all}, policy.Config{})
		a, _ := w.open(control.Session{ID: "s", MaxAllocations: tc.own})
		n := 0
		for ; n < 100; n++ {
			if _, err := a.Reserve(); err != nil {
				break
			}
		}
		if n != tc.want {
			t.Errorf("with %d of its own and %d for all it gets %d, want %d", tc.own, tc.all, n, tc.want)
		}
	}
}

// TestQuotaAfterTheEnd: what was reserved counts until it is given back, also when its session is gone, and then nothing is left.
func TestQuotaAfterTheEnd(t *testing.T) {
	w := newWorld(t, Limits{Allocations: 1}, policy.Config{})
	a, _ := w.open(control.Session{ID: "s", Technician: "anna"})
	other, _ := w.open(control.Session{ID: "other"})
	release := reserve(t, a, 1)[0]
	w.End("s")
	if _, err := other.Reserve(); !errors.Is(err, ErrTotalQuota) {
		t.Errorf("while the allocation is still there Reserve says %v", err)
	}
	release()
	reserve(t, other, 1)
	if len(w.technicians) != 0 {
		t.Errorf("technicians without allocations are kept: %v", w.technicians)
	}
}
