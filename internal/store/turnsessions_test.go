package store

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signalbox/internal/turnsession"
)

// sessionRecord is an open session with all that it can have.
func sessionRecord(id turnsession.ID, created time.Time) turnsession.Session {
	return turnsession.Session{
		ID: id, Domain: "push.example", By: turnsession.Caller{TokenID: "tok_1", Name: "management"}, Created: created, Expires: created.Add(time.Minute),
		Spec: turnsession.Spec{
			TTL: time.Minute, AllowPeers: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::1/128")},
			Endpoints: [2]string{"pc-1", ""}, Technician: "ann", MaxAllocations: 4, Rate: 1 << 20,
		},
	}
}

var sameAddresses = cmpopts.EquateComparable(netip.Prefix{})

func mustEqual(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, sameAddresses); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// TestTURNSession: a record is read as it was written, ends once, and each change has its event.
func TestTURNSession(t *testing.T) {
	s := running(t)
	now := time.Now().UTC().Truncate(time.Microsecond)
	want := sessionRecord(7, now)
	if err := s.CreateTURNSession(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	got, err := s.TURNSession(t.Context(), "push.example", 7)
	if err != nil {
		t.Fatal(err)
	}
	mustEqual(t, "open", want, got)
	noted := turnsession.Count{ID: 7, Counters: turnsession.Counters{BytesUp: 5}, At: now.Add(time.Second)}
	if err := s.SaveTURNCounters(t.Context(), []turnsession.Count{noted, {ID: 8}}); err != nil {
		t.Fatal(err)
	}
	final := turnsession.Counters{Allocations: 2, PacketsUp: 1, BytesUp: 9, Drops: map[string]uint64{"rate": 3}, RefusedPeers: map[string]uint64{"127.0.0.1": 1}}
	end := turnsession.End{At: now.Add(2 * time.Second), Reason: turnsession.ReasonRequested, Counters: &final, Counted: now.Add(2 * time.Second)}
	want.Ended, want.Reason, want.Counters, want.Counted = end.At, end.Reason, final, end.Counted
	for range 2 {
		if got, err = s.EndTURNSession(t.Context(), 7, end); err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "ended", want, got)
		end = turnsession.End{At: now.Add(time.Hour), Reason: turnsession.ReasonExpired} // a later end changes nothing
	}
	if err := s.SaveTURNCounters(t.Context(), []turnsession.Count{noted}); err != nil { // nor do counters that come late
		t.Fatal(err)
	}
	got, err = s.TURNSession(t.Context(), "push.example", 7)
	if err != nil {
		t.Fatal(err)
	}
	mustEqual(t, "read again", want, got)
	all, err := s.events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var told [][2]string
	for _, e := range all {
		told = append(told, [2]string{e.Kind, e.Data})
	}
	mustEqual(t, "events", [][2]string{
		{"turn.session.opened", `{"id":"trn_0000000000007","endpoints":{"a":"pc-1"},"technician":"ann","opened_by":"management","expires_at":"` + want.Expires.Format(time.RFC3339Nano) + `"}`},
		{"turn.session.ended", `{"id":"trn_0000000000007","endpoints":{"a":"pc-1"},"technician":"ann","opened_by":"management","reason":"requested","counters":{"allocations":2,` +
			`"open_allocations":0,"packets_up":1,"packets_down":0,"bytes_up":9,"bytes_down":0,"drops":{"rate":3},"refused_peers":{"127.0.0.1":1}}}`},
	}, told)
}

// TestTURNSessionEndsWithoutCounters: what was noted last stays.
func TestTURNSessionEndsWithoutCounters(t *testing.T) {
	s := running(t)
	now := time.Now().UTC().Truncate(time.Microsecond)
	if err := s.CreateTURNSession(t.Context(), sessionRecord(7, now)); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveTURNCounters(t.Context(), []turnsession.Count{{ID: 7, Counters: turnsession.Counters{BytesUp: 5}, At: now}}); err != nil {
		t.Fatal(err)
	}
	got, err := s.EndTURNSession(t.Context(), 7, turnsession.End{At: now, Reason: turnsession.ReasonRestarted})
	if err != nil || got.Counters.BytesUp != 5 || !got.Counted.Equal(now) {
		t.Errorf("EndTURNSession = %+v, %v", got, err)
	}
	if _, err := s.EndTURNSession(t.Context(), 8, turnsession.End{At: now}); !errors.Is(err, turnsession.ErrUnknown) {
		t.Errorf("EndTURNSession of nothing = %v", err)
	}
}

// TestTURNSessionsAreListed by domain, state and page, the newest first; and retention deletes those that have been over for long, and no others.
func TestTURNSessionsAreListed(t *testing.T) {
	s := running(t)
	now := time.Now().UTC().Truncate(time.Microsecond)
	for id := range turnsession.ID(4) {
		r := sessionRecord(id+1, now)
		if id == 3 {
			r.Domain = "other.example"
		}
		if err := s.CreateTURNSession(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.EndTURNSession(t.Context(), 2, turnsession.End{At: now}); err != nil {
		t.Fatal(err)
	}
	listed := func(q turnsession.Query) (ids []turnsession.ID) {
		t.Helper()
		q.Domain = "push.example"
		all, err := s.TURNSessions(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range all {
			ids = append(ids, one.ID)
		}
		return ids
	}
	for _, tt := range []struct {
		name string
		q    turnsession.Query
		want []turnsession.ID
	}{
		{"all", turnsession.Query{Limit: 10}, []turnsession.ID{3, 2, 1}},
		{"first page", turnsession.Query{Limit: 2}, []turnsession.ID{3, 2}},
		{"second page", turnsession.Query{Limit: 2, Before: 2}, []turnsession.ID{1}},
		{"open", turnsession.Query{Limit: 10, State: turnsession.StateOpen}, []turnsession.ID{3, 1}},
		{"ended", turnsession.Query{Limit: 10, State: turnsession.StateEnded}, []turnsession.ID{2}},
	} {
		mustEqual(t, tt.name, tt.want, listed(tt.q))
	}
	if ids, err := s.OpenTURNSessions(t.Context()); err != nil || len(ids) != 3 {
		t.Errorf("OpenTURNSessions = %v, %v, want those of all domains", ids, err)
	}
	for _, step := range []struct {
		at   time.Time
		want []turnsession.ID
	}{{now.Add(s.cfg.Retention - time.Minute), []turnsession.ID{3, 2, 1}}, {now.Add(s.cfg.Retention + time.Minute), []turnsession.ID{3, 1}}} {
		if err := s.deleteOld(t.Context(), step.at); err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "kept", step.want, listed(turnsession.Query{Limit: 10}))
	}
}
