package turnsession

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"signalbox/internal/endpoint"
)

// TestOpenAndEnd: what is opened is served, with credentials for each side; what is ended is silent, and says the same however often it is ended.
func TestOpenAndEnd(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bench) {
		spec := Spec{TTL: time.Minute, Technician: "ann", AllowPeers: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, MaxAllocations: 3, Rate: 5000}
		s, both, err := b.Open(t.Context(), domain, spec, Caller{"tok_1", "management"})
		if err != nil {
			t.Fatal(err)
		}
		if both[A].Username != s.ID.String()+":a" || both[B].Username != s.ID.String()+":b" {
			t.Errorf("credentials = %+v", both)
		}
		want := Grant{ID: s.ID, Expires: s.Created.Add(time.Minute), Technician: "ann", AllowPeers: spec.AllowPeers, MaxAllocations: 3, Rate: 5000}
		if g, _ := b.turn.grant(s.ID); !cmp.Equal(g, want, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })) {
			t.Errorf("the TURN server serves %+v, want %+v", g, want)
		}
		b.turn.count(Counters{Allocations: 2, BytesUp: 7})
		if live, err := b.Session(t.Context(), domain, s.ID); err != nil || live.Counters.BytesUp != 7 || !live.Open() {
			t.Errorf("Session = %+v, %v", live, err)
		}
		b.turn.count(Counters{Allocations: 2, BytesUp: 9})
		for range 2 {
			ended, err := b.End(t.Context(), domain, s.ID)
			if err != nil || ended.Counters.BytesUp != 9 || ended.Reason != ReasonRequested || ended.Open() {
				t.Errorf("End = %+v, %v", ended, err)
			}
		}
		if got := b.turn.reasons(); len(got) != 1 {
			t.Errorf("it was ended %d times at the TURN server", len(got))
		}
		if _, _, err := b.Renew(t.Context(), domain, s.ID); !errors.Is(err, ErrEnded) {
			t.Errorf("Renew = %v, want ErrEnded", err)
		}
	})
}

// TestUnknown: nothing is told of sessions that there are not, and of those of another domain.
func TestUnknown(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bench) {
		s := b.opened(Spec{})
		for _, of := range []struct {
			domain string
			id     ID
		}{{domain, s.ID + 1}, {"other.example", s.ID}} {
			_, errShow := b.Session(t.Context(), of.domain, of.id)
			_, errEnd := b.End(t.Context(), of.domain, of.id)
			_, _, errRenew := b.Renew(t.Context(), of.domain, of.id)
			for _, err := range []error{errShow, errEnd, errRenew} {
				if !errors.Is(err, ErrUnknown) {
					t.Errorf("%s at %s: %v, want ErrUnknown", of.id, of.domain, err)
				}
			}
		}
		if s = b.record(s.ID); !s.Open() {
			t.Errorf("%s was ended in the name of another domain", s.ID)
		}
	})
}

// TestExpires: a session ends when its time is over, and no later one before.
func TestExpires(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bench) {
		short, long := b.opened(Spec{TTL: 10 * time.Second}), b.opened(Spec{TTL: MaxTTL})
		after(9 * time.Second)
		if s := b.record(short.ID); !s.Open() {
			t.Errorf("%s ended too early: %s", s.ID, s.Reason)
		}
		after(2 * time.Second)
		if s := b.record(short.ID); s.Reason != ReasonExpired || s.Ended.Before(short.Expires) {
			t.Errorf("%s ended with %q at %v, want at %v", s.ID, s.Reason, s.Ended, short.Expires)
		}
		if s := b.record(long.ID); !s.Open() {
			t.Errorf("%s ended with the other: %s", s.ID, s.Reason)
		}
	})
}

// TestOpenFails: without an answer of the TURN server or without a record there is no session, and nobody gets credentials.
func TestOpenFails(t *testing.T) {
	for _, tt := range []struct {
		name string
		fail func(*bench)
		want error
		kept int // records
	}{
		{"TURN server away", func(b *bench) { b.turn.fail(errBroken) }, ErrUnavailable, 0},
		{"no record", func(b *bench) { b.store.fail("create", errBroken) }, errBroken, 0},
		{"no record, nor its end", func(b *bench) { b.store.fail("create", errBroken); b.store.fail("end", errBroken) }, errBroken, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, b *bench) {
				tt.fail(b)
				_, both, err := b.Open(t.Context(), domain, Spec{TTL: time.Minute}, Caller{})
				if !errors.Is(err, tt.want) || both[A].Username != "" {
					t.Errorf("Open = %v, %v, want %v", both, err, tt.want)
				}
				if len(b.store.all) != tt.kept || len(b.turn.open) != 0 || len(b.live) != 0 {
					t.Errorf("%d records, %d sessions at the TURN server, %d here are left", len(b.store.all), len(b.turn.open), len(b.live))
				}
				if got := b.turn.reasons(); len(got) != 1 || got[0] != ReasonNotOpened {
					t.Errorf("the TURN server was told of the ends %v", got)
				}
			})
		})
	}
}

// lateStore keeps a record though it said that it did not, as one does whose caller did not wait.
type lateStore struct{ *fakeStore }

func (l lateStore) CreateTURNSession(ctx context.Context, s Session) error {
	return errors.Join(l.fakeStore.CreateTURNSession(ctx, s), context.Canceled)
}

// TestRecordComesLate: a record that is kept though nobody waited for it any more does not stay open.
func TestRecordComesLate(t *testing.T) {
	b := newBench(t, nil)
	b.Service.store = lateStore{b.store}
	if _, _, err := b.Open(t.Context(), domain, Spec{TTL: time.Minute}, Caller{}); err == nil {
		t.Fatal("Open succeeds")
	}
	all, _ := b.List(t.Context(), Query{Domain: domain})
	if len(all) != 1 || all[0].Reason != ReasonNotOpened {
		t.Errorf("records = %+v, want one that ended as not opened", all)
	}
}

// TestEndWhileTURNIsAway: a TURN server that is waited for in vain leaves the store time to note the end.
func TestEndWhileTURNIsAway(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bench) {
		s := b.opened(Spec{Endpoints: [2]string{"pc-1", ""}})
		b.turn.mu.Lock()
		b.turn.away = true
		b.turn.mu.Unlock()
		if ended, err := b.End(t.Context(), domain, s.ID); err != nil || ended.Open() {
			t.Errorf("End = %+v, %v, want one that ended", ended, err)
		}
	})
}

// TestSilence: a session that is silenced is so although the store takes nothing, says what it came to, and is noted when the store does.
func TestSilence(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bench) {
		s := b.opened(Spec{})
		b.turn.count(Counters{BytesUp: 9})
		b.store.fail("end", errBroken)
		for range 2 {
			if got, err := b.Silence(t.Context(), domain, s.ID); err != nil || got.Open() || got.Reason != ReasonRequested || got.Counters.BytesUp != 9 || got.Counted.IsZero() {
				t.Errorf("Silence = %+v, %v, want what ended with its counters", got, err)
			}
		}
		if _, served := b.turn.grant(s.ID); served || len(b.turn.reasons()) != 1 {
			t.Errorf("served still: %v; it was ended %d times at the TURN server", served, len(b.turn.reasons()))
		}
		b.store.fail("end", nil)
		after(2 * time.Second)
		if r := b.record(s.ID); r.Reason != ReasonRequested || r.Counters.BytesUp != 9 {
			t.Errorf("record = %+v", r)
		}
		b.turn.count(Counters{}) // asked again it would say something else
		if got, err := b.Silence(t.Context(), domain, s.ID); err != nil || got.Open() || got.Counters.BytesUp != 9 {
			t.Errorf("Silence of one that is stored as ended = %+v, %v, want its record", got, err)
		}
		for name, of := range map[string]Session{"that there is not": {ID: s.ID + 1, Domain: domain}, "of another domain": {ID: s.ID, Domain: "other.example"}} {
			if _, err := b.Silence(t.Context(), of.Domain, of.ID); !errors.Is(err, ErrUnknown) {
				t.Errorf("Silence of one %s = %v, want ErrUnknown", name, err)
			}
		}
	})
}

// TestSilenceOfTheLastRun: a session that the last run left open is returned with what was noted of it, before its end is noted and behind that.
func TestSilenceOfTheLastRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.store.all[5] = Session{ID: 5, Domain: domain, Counters: Counters{BytesUp: 11}, Counted: time.Now()}
		silence := func(when string) {
			t.Helper()
			if got, err := b.Silence(t.Context(), domain, 5); err != nil || got.Counters.BytesUp != 11 || got.Counted.IsZero() {
				t.Errorf("%s: Silence = %+v, %v, want what was noted", when, got, err)
			}
		}
		silence("before its end is noted")
		b.run()
		defer b.stop()
		synctest.Wait()
		silence("behind that")
		if r := b.record(5); r.Reason != ReasonRestarted {
			t.Errorf("record = %+v", r)
		}
	})
}

// TestSilenceWhileTURNIsAway: a TURN server that does not answer is waited for a few seconds, and the session has ended then.
func TestSilenceWhileTURNIsAway(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bench) {
		s := b.opened(Spec{})
		b.turn.mu.Lock()
		b.turn.away = true
		b.turn.mu.Unlock()
		begun := time.Now()
		if got, err := b.Silence(t.Context(), domain, s.ID); err != nil || got.Open() || !got.Counted.IsZero() {
			t.Errorf("Silence = %+v, %v, want one that ended, without counters", got, err)
		}
		if took := time.Since(begun); took != silenceWithin {
			t.Errorf("it took %v, want %v", took, silenceWithin)
		}
	})
}

// TestEndIsNotedLater: a session whose end cannot be stored is silent at once, shows as ended, and is noted when the store takes it.
func TestEndIsNotedLater(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bench) {
		s := b.opened(Spec{Endpoints: [2]string{"pc-1", ""}})
		b.turn.count(Counters{PacketsDown: 3})
		b.store.fail("end", errBroken)
		if _, err := b.End(t.Context(), domain, s.ID); !errors.Is(err, errBroken) {
			t.Errorf("End = %v, want the error of the store", err)
		}
		if _, served := b.turn.grant(s.ID); served {
			t.Error("it is served still")
		}
		if _, ok := b.PartyCredentials(endpoint.Key{Domain: domain, ID: "pc-1"}); ok {
			t.Error("its party gets credentials")
		}
		b.turn.count(Counters{}) // asked again it would say something else
		if shown, err := b.Session(t.Context(), domain, s.ID); err != nil || shown.Open() || shown.Reason != ReasonRequested || shown.Counters.PacketsDown != 3 {
			t.Errorf("Session = %+v, %v, want one that ended", shown, err)
		}
		if _, _, err := b.Renew(t.Context(), domain, s.ID); !errors.Is(err, ErrEnded) {
			t.Errorf("Renew = %v, want ErrEnded", err)
		}
		after(3 * time.Second)
		b.store.fail("end", nil)
		after(2 * time.Second)
		if r := b.record(s.ID); r.Reason != ReasonRequested || r.Counters.PacketsDown != 3 {
			t.Errorf("record = %+v", r)
		}
		if len(b.live) != 0 || len(b.parties) != 0 {
			t.Errorf("%d sessions of %d parties are kept in memory", len(b.live), len(b.parties))
		}
	})
}

// TestLastRun: sessions that a run left open which ended without a word get the reason, keep the counters that were noted, and nothing else is touched.
func TestLastRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		left := Session{ID: 5, Domain: domain, Created: clock(), Expires: clock().Add(time.Hour), Counters: Counters{BytesUp: 11}, Counted: clock()}
		b.store.all[left.ID] = left
		b.store.all[6] = Session{ID: 6, Domain: domain, Ended: clock(), Reason: ReasonExpired}
		mine := b.opened(Spec{}) // before Run has begun
		b.store.fail("list", errBroken)
		b.run()
		defer b.stop()
		after(3 * lookEvery)
		b.store.fail("list", nil)
		after(2 * lookEvery)
		if s := b.record(left.ID); s.Reason != ReasonRestarted || s.Counters.BytesUp != 11 {
			t.Errorf("record = %+v", s)
		}
		if n := testutil.ToFloat64(b.metrics.ended.WithLabelValues(ReasonRestarted)); n != 1 {
			t.Errorf("%v sessions are counted as left open by the last run, want 1", n)
		}
		if s := b.record(6); s.Reason != ReasonExpired {
			t.Errorf("a session that had ended now has the reason %s", s.Reason)
		}
		if s := b.record(mine.ID); !s.Open() {
			t.Errorf("a session of this run ended as %s", s.Reason)
		}
	})
}

// TestStop: with the service all sessions end, with their final counters, and no new ones begin.
func TestStop(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bench) {
		s := b.opened(Spec{})
		b.turn.count(Counters{BytesDown: 5})
		b.stop()
		if r := b.record(s.ID); r.Reason != ReasonStopping || r.Counters.BytesDown != 5 {
			t.Errorf("record = %+v", r)
		}
		if _, _, err := b.Open(t.Context(), domain, Spec{TTL: time.Minute}, Caller{}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Open after the end = %v", err)
		}
	})
}

// TestCountersAreNoted: what sessions have moved is noted each minute, for a server that is killed; a TURN server that does not answer changes nothing.
func TestCountersAreNoted(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bench) {
		s := b.opened(Spec{TTL: time.Hour})
		b.turn.fail(errBroken)
		after(countEvery + lookEvery)
		if b.store.saves != 0 {
			t.Errorf("%d counts were noted of what nobody knows", b.store.saves)
		}
		b.turn.fail(nil)
		b.turn.count(Counters{BytesUp: 1})
		after(countEvery + 5*lookEvery)
		noted := b.record(s.ID)
		if noted.Counters.BytesUp != 1 || noted.Counted.IsZero() || b.store.saves != 1 {
			t.Errorf("record = %+v after %d notes, want one", noted, b.store.saves)
		}
		b.turn.fail(errBroken)
		b.turn.count(Counters{})
		after(countEvery)
		if r := b.record(s.ID); r.Counters.BytesUp != 1 || !r.Counted.Equal(noted.Counted) {
			t.Errorf("record = %+v, want what was counted last", r)
		}
		ended, err := b.End(t.Context(), domain, s.ID)
		if err != nil || ended.Counters.BytesUp != 1 || !ended.Counted.Equal(noted.Counted) {
			t.Errorf("End = %+v, %v, want what was counted last", ended, err)
		}
	})
}

// TestNoTURN: records can be read and closed without a TURN server, and nothing can be opened.
func TestNoTURN(t *testing.T) {
	b := newBench(t, nil)
	b.store.all[5] = Session{ID: 5, Domain: domain, Created: clock()}
	b.Service.turn = nil
	if _, _, err := b.Open(t.Context(), domain, Spec{TTL: time.Minute}, Caller{}); !errors.Is(err, ErrOff) {
		t.Errorf("Open = %v", err)
	}
	if _, _, err := b.Renew(t.Context(), domain, 5); !errors.Is(err, ErrOff) {
		t.Errorf("Renew = %v", err)
	}
	if s, err := b.End(t.Context(), domain, 5); err != nil || s.Reason != ReasonRestarted {
		t.Errorf("End = %+v, %v", s, err)
	}
}

// TestRenewTooLate: a session whose time is over gives out nothing, also before its end is noted.
func TestRenewTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		s := b.opened(Spec{TTL: time.Minute})
		after(time.Minute)
		if _, _, err := b.Renew(t.Context(), domain, s.ID); !errors.Is(err, ErrEnded) {
			t.Errorf("Renew = %v, want ErrEnded", err)
		}
	})
}

// TestSlowTURN: a session that the TURN server is slow to open holds up no other one.
func TestSlowTURN(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bench) {
		other := b.opened(Spec{TTL: time.Second})
		hold := make(chan struct{})
		b.turn.mu.Lock()
		b.turn.hold = hold
		b.turn.mu.Unlock()
		opened := make(chan error, 1)
		go func() {
			_, _, err := b.Open(t.Context(), domain, Spec{TTL: time.Minute, Endpoints: [2]string{"pc-1", ""}}, Caller{})
			opened <- err
		}()
		synctest.Wait()
		b.move("pc-1", "192.0.2.1", endpoint.Bound)
		after(3 * time.Second)
		if r := b.record(other.ID); r.Open() {
			t.Error("another session does not end meanwhile")
		}
		close(hold)
		if err := <-opened; err != nil {
			t.Error(err)
		}
	})
}

func TestTooMany(t *testing.T) {
	b := newBench(t, nil)
	for range MaxOpen {
		if _, err := b.admit(domain, Spec{TTL: time.Minute}, Caller{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := b.Open(t.Context(), domain, Spec{TTL: time.Minute}, Caller{}); !errors.Is(err, ErrTooMany) {
		t.Errorf("Open = %v", err)
	}
}

// TestConcurrent: many hands on one session leave one end.
func TestConcurrent(t *testing.T) {
	inBubble(t, fakeSightings{"pc-1": from("192.0.2.1")}, func(t *testing.T, b *bench) {
		s := b.opened(Spec{TTL: time.Second, Endpoints: [2]string{"pc-1", "pc-2"}})
		time.Sleep(time.Second)
		var hands sync.WaitGroup
		for range 8 {
			hands.Go(func() {
				if ended, err := b.End(t.Context(), domain, s.ID); err != nil || ended.Open() {
					t.Errorf("End = %+v, %v", ended, err)
				}
			})
			hands.Go(func() { b.move("pc-2", "192.0.2.2", endpoint.Bound) })
			hands.Go(func() { _, _ = b.Session(t.Context(), domain, s.ID) })
		}
		hands.Wait()
		if got := b.turn.reasons(); len(got) != 1 {
			t.Errorf("it was ended %d times: %v", len(got), got)
		}
	})
}

func TestValidate(t *testing.T) {
	good := Spec{TTL: time.Minute}
	for _, tt := range []struct {
		name    string
		change  func(*Spec)
		pointer string
	}{
		{"no time", func(s *Spec) { s.TTL = 0 }, "/ttl"},
		{"too long", func(s *Spec) { s.TTL = MaxTTL + time.Second }, "/ttl"},
		{"many peers", func(s *Spec) { s.AllowPeers = make([]netip.Prefix, MaxPeers+1) }, "/allow_peers"},
		{"bad peer", func(s *Spec) { s.AllowPeers = make([]netip.Prefix, 1) }, "/allow_peers/0"},
		{"one party twice", func(s *Spec) { s.Endpoints = [2]string{"pc-1", "pc-1"} }, "/endpoints/b"},
		{"long name", func(s *Spec) { s.Technician = strings.Repeat("x", MaxTechnician+1) }, "/technician"},
		{"control character", func(s *Spec) { s.Technician = "a\nb" }, "/technician"},
		{"allocations", func(s *Spec) { s.MaxAllocations = MaxAllocations + 1 }, "/max_allocations"},
		{"rate", func(s *Spec) { s.Rate = -1 }, "/rate"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := good
			tt.change(&s)
			var errs FieldErrors
			if err := s.Validate(); !errors.As(err, &errs) || errs[0].Pointer != tt.pointer {
				t.Errorf("Validate = %v, want a mistake at %s", err, tt.pointer)
			}
		})
	}
	if err := good.Validate(); err != nil {
		t.Errorf("Validate = %v", err)
	}
}

func TestUnknownParty(t *testing.T) {
	b := newBench(t, nil)
	_, _, err := b.Open(t.Context(), domain, Spec{TTL: time.Minute, Endpoints: [2]string{"pc-1", "nobody"}}, Caller{})
	var party *PartyError
	if !errors.As(err, &party) || party.Side != B || !errors.Is(err, endpoint.ErrUnknown) {
		t.Errorf("Open = %v", err)
	}
}
