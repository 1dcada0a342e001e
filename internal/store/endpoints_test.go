package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/store/pushes"
)

// bulk stores n pushes of an endpoint that all are in the same state.
func bulk(t testing.TB, s *Store, k endpoint.Key, n int, state push.State) {
	t.Helper()
	now := time.Now()
	if err := s.do(t.Context(), anything(func(t *tx) error {
		num, _, err := t.endpoint.Num(k)
		if err != nil {
			return err
		}
		if err := t.readNumbers(); err != nil {
			return err
		}
		first := nextID(t.lastPush, now)
		t.lastPush = first + int64(n)
		if err := (exec{fmt.Sprintf(`WITH RECURSIVE c(i) AS (VALUES(%d) UNION ALL SELECT i+1 FROM c WHERE i<%d)
			INSERT INTO push (id, ep, state, place, ack, priority, binary, size, created, expires, ended, type, history)
			SELECT i, %d, %d, %d, 0, 1, 0, 100, %d, %d, 0, 'demo.ping', x'00000000000000000100' FROM c`,
			first, first+int64(n)-1, num, pushes.StateCode(state), pushes.PlaceOf(state, push.AckDelivered, push.Normal), now.UnixMicro(), now.Add(time.Hour).UnixMicro())}).apply(t); err != nil {
			return err
		}
		return exec{fmt.Sprintf("INSERT INTO queue (ep, place, id, size) SELECT ep, place, id, size FROM push WHERE id >= %d", first)}.apply(t)
	})); err != nil {
		t.Fatal(err)
	}
}

// TestDeleteEndpointInChunks checks that the end of an endpoint with many pushes lets others in between.
func TestDeleteEndpointInChunks(t *testing.T) {
	for _, n := range []int{0, maxChunk, 2*maxChunk + 10} {
		s := writing(t)
		k, other := addEndpoint(t, s, "pc-1"), addEndpoint(t, s, "pc-2")
		bulk(t, s, k, n, push.Accepted)
		bulk(t, s, other, 3, push.Accepted)
		before := testutil.ToFloat64(s.metrics.commits)
		if err := s.DeleteEndpoint(t.Context(), k); err != nil {
			t.Fatal(err)
		}
		if got, want := int(testutil.ToFloat64(s.metrics.commits)-before), n/maxChunk+1; got != want {
			t.Errorf("%d pushes were deleted in %d transactions, want %d", n, got, want)
		}
		if got := rows(t, s); got[0] != 3 || got[2] != 3 {
			t.Errorf("%d pushes and %d events are left, want those of the other endpoint, and the events of two beginnings and one end", got[0], got[2])
		}
	}
}
