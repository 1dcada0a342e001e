package remote

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/signalling"
	"signalbox/internal/turnsession"
)

// TestOpenRefuses: what is wrong is named, and nothing is left of it.
func TestOpenRefuses(t *testing.T) {
	var fields turnsession.FieldErrors
	var offline *OfflineError
	for _, tc := range []struct {
		name    string
		change  func(*Spec)
		prepare func(*bench)
		want    func(error) bool
	}{
		{"unknown endpoint", func(s *Spec) { s.Endpoint = "pc-9" }, nil, func(err error) bool { return errors.Is(err, endpoint.ErrUnknown) }},
		{"disabled", nil, func(b *bench) { b.store.endpoints[pc1] = endpoint.Record{} }, func(err error) bool { return errors.Is(err, endpoint.ErrDisabled) }},
		{"offline", nil, func(b *bench) { b.endpoints.set(pc1, false) }, func(err error) bool { return errors.As(err, &offline) }},
		{"no kinds", func(s *Spec) { s.Kinds = nil }, nil, func(err error) bool { return errors.As(err, &fields) && fields[0].Pointer == "/kinds" }},
		{"unknown kind", func(s *Spec) { s.Kinds = []string{"terminal", "system"} }, nil, func(err error) bool { return errors.As(err, &fields) && fields[0].Pointer == "/kinds/1" }},
		{"permission of another kind", func(s *Spec) { s.Permissions = []string{"processes.kill"} }, nil,
			func(err error) bool { return errors.As(err, &fields) && fields[0].Pointer == "/permissions/0" }},
		{"nobody", func(s *Spec) { s.Technician.ID = "" }, nil, func(err error) bool { return errors.As(err, &fields) && fields[0].Pointer == "/technician/id" }},
		{"too long", func(s *Spec) { s.MaxDuration = 25 * time.Hour }, nil, func(err error) bool { return errors.As(err, &fields) && fields[0].Pointer == "/max_duration" }},
		{"several mistakes", func(s *Spec) { s.Transport, s.MaxBytes, s.Why = "pigeon", -1, strings.Repeat("x", MaxText+1) }, nil,
			func(err error) bool { return errors.As(err, &fields) && len(fields) == 3 }},
		{"TURN alone without TURN", func(s *Spec) { s.Transport = signalling.TransportTURNOnly }, func(b *bench) { b.turn.fail(turnsession.ErrOff) },
			func(err error) bool { return errors.Is(err, ErrNoTURN) }},
		{"TURN alone while it is away", func(s *Spec) { s.Transport = signalling.TransportTURNOnly }, func(b *bench) { b.turn.fail(turnsession.ErrUnavailable) },
			func(err error) bool { return errors.Is(err, turnsession.ErrUnavailable) }},
		{"store fails", nil, func(b *bench) { b.store.fail(errBroken) }, func(err error) bool { return errors.Is(err, errBroken) }},
		{"endpoint does not read", nil, func(b *bench) { b.endpoints.full = true }, func(err error) bool { return errors.Is(err, endpoint.ErrFull) }},
	} {
		inBubble(t, func(t *testing.T, b *bench) {
			if tc.prepare != nil {
				tc.prepare(b)
			}
			s := spec()
			if tc.change != nil {
				tc.change(&s)
			}
			if _, err := b.Open(t.Context(), domain, s, management); err == nil || !tc.want(err) {
				t.Errorf("%s: %v", tc.name, err)
			}
			b.store.fail(nil)
			after(2 * retryEvery)
			if open := b.of(pc1); len(open) != 0 || b.turn.count() != 0 {
				t.Errorf("%s: %d sessions and %d TURN sessions are left open", tc.name, len(open), b.turn.count())
			}
			for _, r := range b.store.all {
				if r.Open() {
					t.Errorf("%s: %s is stored as open", tc.name, r.ID)
				}
			}
			after(rememberFor)
			if n := len(b.all(func(*live) bool { return true })); n != 0 {
				t.Errorf("%s: %d sessions are remembered", tc.name, n)
			}
		})
	}
}

// TestOfflineSaysWhy: who is told that an endpoint is offline is told since when, and why.
func TestOfflineSaysWhy(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.endpoints.set(pc1, false)
		since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		b.store.endpoints[pc1] = endpoint.Record{Endpoint: endpoint.Endpoint{Enabled: true}, Presence: endpoint.Presence{State: endpoint.StateOffline, Since: since, Reason: "silent"}}
		_, err := b.Open(t.Context(), domain, spec(), management)
		if want := "the endpoint is offline since 2026-01-02T03:04:05Z (silent)"; err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	})
}

// TestWentOffline: an endpoint that goes while it is asked is offline, and the record says so.
func TestWentOffline(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		goOn := b.store.stall()
		failed := make(chan error, 1)
		go func() {
			_, err := b.Open(t.Context(), domain, spec(), management)
			failed <- err
		}()
		after(0)
		b.endpoints.set(pc1, false)
		goOn()
		var offline *OfflineError
		if err := <-failed; !errors.As(err, &offline) {
			t.Errorf("%v", err)
		}
		all, _ := b.List(t.Context(), Query{Domain: domain})
		if len(all) != 1 || all[0].Reason != ReasonEndpointOffline.Name {
			t.Errorf("the store has %+v", all)
		}
	})
}

// TestDefaults: what a session does not say, the configuration does.
func TestDefaults(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o := b.opened(func(s *Spec) { s.Consent = signalling.ConsentMode{} })
		g := b.grants[0]
		switch {
		case g.Expires.Sub(o.Created) != time.Hour || g.Idle != 30*time.Minute:
			t.Errorf("it lasts until %v, idle %v", g.Expires, g.Idle)
		case g.Consent.Mode != signalling.ModeAskDeny || g.Consent.Timeout != 30*time.Second:
			t.Errorf("its user is asked %+v", g.Consent)
		case g.Transport != signalling.TransportAuto || len(g.Permissions) != 3:
			t.Errorf("it may go over %q, and %q", g.Transport, g.Permissions)
		case g.Endpoint != "pc-1@x.example" || g.ID != o.ID.String() || g.RelayHosts[0] != "wss://x.example/relay/":
			t.Errorf("the grant is %+v", g)
		}
	})
}

// TestGrantSaysWhatTheUserIsAsked: the endpoint is told the question and its time as the session was opened with them, and why.
func TestGrantSaysWhatTheUserIsAsked(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		want := signalling.ConsentMode{Mode: signalling.ModeAskAllow, Timeout: 90 * time.Second, Message: "May I?"}
		b.opened(func(s *Spec) { s.Consent = want })
		if g := b.grants[0]; g.Consent != want || g.Why != "ticket 4711" {
			t.Errorf("the user is asked %+v because of %q, want %+v", g.Consent, g.Why, want)
		}
	})
}

// TestLimitsOfMany: one technician, one endpoint have so many sessions, and room again when one ends.
func TestLimitsOfMany(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.cfg.MaxPerTechnician = 5
		var limit *LimitError
		var last Opened
		for i := range b.cfg.MaxPerEndpoint {
			last = b.opened(func(s *Spec) { s.Technician.ID = "t" + strconv.Itoa(i) })
		}
		if _, err := b.Open(t.Context(), domain, spec(), management); !errors.As(err, &limit) || limit.Of != LimitEndpoint {
			t.Errorf("one session more with an endpoint: %v", err)
		}
		b.end(last.ID, "", management)
		b.opened()
		for range b.cfg.MaxPerTechnician {
			s := spec()
			s.Endpoint, s.Technician.ID = "pc-2", "bob"
			if _, err := b.Open(t.Context(), domain, s, management); err != nil && (!errors.As(err, &limit) || limit.Of != LimitEndpoint) {
				t.Fatal(err)
			}
		}
		b.cfg.MaxPerEndpoint = 100
		s := spec()
		s.Endpoint, s.Technician.ID = "pc-2", "bob"
		if _, err := b.Open(t.Context(), domain, s, management); err != nil {
			t.Error(err)
		}
		if _, err := b.Open(t.Context(), domain, s, management); !errors.As(err, &limit) || limit.Of != LimitTechnician {
			t.Errorf("one session more of a technician: %v", err)
		}
	})
}

// TestNotServed: nothing is opened before the sessions of the last run are taken up, nor after the end.
func TestNotServed(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.stop()
		if _, err := b.Open(t.Context(), domain, spec(), management); !errors.Is(err, ErrUnavailable) {
			t.Errorf("after its end: %v", err)
		}
		b.restored = false
		if err := b.FromEndpoint(t.Context(), pc1, signalling.Accept{About: about(1)}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("before it knows its sessions: %v", err)
		}
	})
}

// TestChange: other limits hold at once, and the endpoint has a grant that says so.
func TestChange(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o, s, _ := b.running()
		length, idle := 2*time.Hour, time.Duration(0)
		if _, err := b.Change(t.Context(), domain, o.ID, Change{MaxIdle: &idle}, management); err == nil {
			t.Error("it may be idle without end")
		}
		changed, err := b.Change(t.Context(), domain, o.ID, Change{MaxDuration: &length}, management)
		if err != nil || changed.Expires.Sub(o.Created) != length {
			t.Fatalf("it ends at %v: %v", changed.Expires, err)
		}
		if got := names(b.endpoints.take()); len(got) != 1 || got[0] != "offer" || !b.grants[len(b.grants)-1].Expires.Equal(changed.Expires) {
			t.Errorf("the endpoint got %q, with %v", got, b.grants[len(b.grants)-1].Expires)
		}
		if state := s.take()[0].(signalling.State); !state.Expires.Equal(changed.Expires) {
			t.Errorf("the technician is told %v", state.Expires)
		}
		short := time.Minute
		after(2 * time.Minute)
		if _, err := b.Change(t.Context(), domain, o.ID, Change{MaxDuration: &short}, management); err != nil {
			t.Fatal(err)
		}
		after(2 * lookEvery)
		b.wantState("its time is over by now", o.ID, Ended, ReasonDurationLimit)
		if _, err := b.Change(t.Context(), domain, o.ID, Change{MaxDuration: &length}, management); !errors.Is(err, ErrEnded) {
			t.Errorf("after its end: %v", err)
		}
	})
}
