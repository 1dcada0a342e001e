package remote

import (
	"encoding/json"
	"math"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/audit"
	"signalbox/internal/turnsession"
)

// again starts the broker anew as a server does that was stopped: what was open on the TURN server has ended.
func (b *bench) again() {
	b.t.Helper()
	b.stop()
	b.turn.stop()
	b.run()
	after(0)
}

// wantPlaces ends a session and fails unless the audit says of its places on the TURN server, the oldest first and the last in `turn`, that they moved so many bytes; -1: that is
// not known.
func (b *bench) wantPlaces(what string, id ID, want ...int) {
	b.t.Helper()
	b.end(id, ReasonManagementEnded.Name, management)
	after(time.Second)
	var end struct {
		Turn       *turnDetail
		TurnBefore []*turnDetail `json:"turn_before"`
	}
	if err := json.Unmarshal(b.store.last("session.ended").Detail, &end); err != nil {
		b.t.Fatal(err)
	}
	var got []int
	var ids []string
	for _, d := range append(end.TurnBefore, end.Turn) {
		ids = append(ids, d.Session)
		if d.Counters == nil {
			got = append(got, -1)
		} else {
			got = append(got, int(d.Counters.BytesUp))
		}
	}
	if !slices.Equal(got, want) || !slices.IsSorted(ids) || len(slices.Compact(ids)) != len(got) {
		b.t.Errorf("%s: its places came to %d as %q, want %d", what, got, ids, want)
	}
}

// TestPlacesBefore: a session that goes on with another place on the TURN server keeps what those before came to, and the audit of its end has all of them.
func TestPlacesBefore(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(*bench, ID)
		want []int
	}{
		{"none", func(b *bench, _ ID) { b.turn.move(1) }, []int{1}},
		{"a restart", func(b *bench, _ ID) {
			b.turn.move(1)
			b.again()
			b.turn.move(2)
		}, []int{1, 2}},
		{"restarts in which nothing else is stored", func(b *bench, _ ID) {
			for n := range uint64(3) {
				b.turn.move(n)
				b.again()
			}
		}, []int{0, 1, 2, 0}},
		{"the TURN session ends by itself", func(b *bench, id ID) {
			b.turn.move(1)
			b.turn.stop()
			if _, err := b.Renew(b.t.Context(), domain, id, management); err != nil {
				b.t.Error(err)
			}
			after(tryTURN + lookEvery)
			b.turn.move(2)
			b.again() // what took its place is stored, too
		}, []int{1, 2, 0}},
		{"the TURN server forgot", func(b *bench, _ ID) {
			b.turn.lose()
			b.again()
			b.turn.move(2)
		}, []int{-1, 2}},
		{"counters that are known later", func(b *bench, _ ID) {
			b.turn.move(1)
			b.stop()
			b.turn.stop()
			b.turn.fail(errBroken)
			b.run()
			after(0)
			b.turn.fail(nil)
			after(tryTURN + lookEvery)
			b.turn.move(2)
		}, []int{1, 2}},
	} {
		inBubble(t, func(t *testing.T, b *bench) {
			o := b.opened()
			tc.do(b, o.ID)
			b.wantPlaces(tc.name, o.ID, tc.want...)
		})
	}
}

// TestPlacesAreBounded: of more places than a session remembers the newest are kept, and the store gets no more.
func TestPlacesAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o := b.opened()
		want := []int{}
		for n := range MaxTURNBefore + 3 {
			b.turn.move(uint64(n))
			b.again()
			want = append(want, n)
		}
		if n := len(b.record(o.ID).TurnBefore); n != MaxTURNBefore {
			t.Errorf("%d places are stored, want %d", n, MaxTURNBefore)
		}
		b.wantPlaces("many", o.ID, append(want[3:], 0)...)
	})
}

// TestEndFitsTheAudit: however much a session's places on the TURN server came to, the audit takes the end; the oldest that have no room in its entry are left out.
func TestEndFitsTheAudit(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o := b.opened()
		refused := map[string]uint64{}
		for n := range 17 {
			refused[netip.AddrFrom16([16]byte{0xff, 0xff, 14: 0xff, 15: byte(n)}).StringExpanded()] = math.MaxUint64
		}
		for range MaxTURNBefore {
			b.turn.mu.Lock()
			b.turn.moved = turnsession.Counters{BytesUp: 7, RefusedPeers: refused}
			b.turn.mu.Unlock()
			b.again()
		}
		b.wantPlaces("much", o.ID, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 0)
		if end := b.store.last("session.ended"); len(end.Detail) > audit.MaxDetail {
			t.Errorf("the entry has %d bytes, and may have %d", len(end.Detail), audit.MaxDetail)
		}
	})
}

// TestPlacesOutliveTheirRecords: counters that were read when the session left a place stay, although the record of the TURN session is deleted before the end.
func TestPlacesOutliveTheirRecords(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o := b.opened()
		b.turn.move(1)
		b.again()
		clear(b.turn.over)
		want := []Place{{Turn: 1, Counters: &turnsession.Counters{BytesUp: 1}}}
		if diff := cmp.Diff(want, b.record(o.ID).TurnBefore); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
		b.wantPlaces("deleted", o.ID, 1, 0)
	})
}
