package enrolment

import (
	"errors"
	"strings"
	"testing"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/identity"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func TestTarget(t *testing.T) {
	key := identity.Generate().Public()
	own := suffixOf(key)
	if len(own) != 13 || endpoint.CheckID(own) != nil || own != suffixOf(key) || own == suffixOf(identity.Generate().Public()) {
		t.Errorf("suffixOf() = %q, want 13 characters that are the key's", own)
	}
	for _, tt := range []struct {
		name string
		spec Spec
		id   string
		want string
		err  error
	}{
		{"the one", Spec{Endpoint: "pc-1"}, "", "pc-1", nil},
		{"the one by name", Spec{Endpoint: "pc-1"}, "pc-1", "pc-1", nil},
		{"another than the one", Spec{Endpoint: "pc-1"}, "pc-2", "", ErrOtherID},
		{"open", Spec{}, "pc-2", "pc-2", nil},
		{"open without a wish", Spec{}, "", own, nil},
		{"prefix", Spec{Prefix: "lab."}, "lab.pc-1", "lab.pc-1", nil},
		{"prefix without a wish", Spec{Prefix: "lab."}, "", "lab." + own, nil},
		{"another prefix", Spec{Prefix: "lab."}, "pc-1", "", ErrOtherID},
		{"no id", Spec{}, "PC 1", "", endpoint.ErrID},
		{"too long", Spec{}, strings.Repeat("x", 257), "", endpoint.ErrID},
	} {
		got, err := (&Enrolment{Spec: tt.spec}).Target(Request{ID: tt.id, Key: key})
		if tt.err == nil && (got != tt.want || err != nil) || !errors.Is(err, tt.err) {
			t.Errorf("%s: Target() = %q, %v, want %q, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
}

func TestDecide(t *testing.T) {
	key, other := identity.Generate().Public(), identity.Generate().Public()
	open := Enrolment{Spec: Spec{Uses: 2}, Used: 1, Expires: noon.Add(time.Second)}
	fixed := Enrolment{Spec: Spec{Endpoint: "pc-1", Uses: 1}, Expires: noon.Add(time.Second)}
	usedUp, expired := fixed, fixed
	usedUp.Used, expired.Expires = 1, noon
	for _, tt := range []struct {
		name  string
		e     Enrolment
		found Found
		want  Decision
		err   error
	}{
		{"new", open, Found{}, Create, nil},
		{"new by a token for it", fixed, Found{}, Create, nil},
		{"there, by a token for it", fixed, Found{Exists: true, Enabled: true, Key: other}, Replace, nil},
		{"there, by an open token", open, Found{Exists: true, Enabled: true}, 0, ErrTaken},
		{"disabled", fixed, Found{Exists: true}, 0, endpoint.ErrDisabled},
		{"used up", usedUp, Found{}, 0, ErrUsedUp},
		{"used up by another", usedUp, Found{Exists: true, Enabled: true, Key: other}, 0, ErrUsedUp},
		{"used up by the same", usedUp, Found{Exists: true, Enabled: true, Key: key}, Again, nil},
		{"the same, disabled since", usedUp, Found{Exists: true, Key: key}, 0, endpoint.ErrDisabled},
		{"expired", expired, Found{}, 0, ErrExpired},
		{"expired after it did all", expired, Found{Exists: true, Enabled: true, Key: key}, Again, nil},
	} {
		got, err := tt.e.Decide(Request{Key: key}, tt.found, noon)
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: Decide() = %v, %v, want %v, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
}

func TestState(t *testing.T) {
	e := Enrolment{Spec: Spec{Uses: 1}, Expires: noon.Add(time.Second)}
	if got := e.State(noon); got != StateOpen {
		t.Errorf("State() = %s, want open", got)
	}
	if got := e.State(noon.Add(time.Second)); got != StateExpired {
		t.Errorf("State() = %s, want expired", got)
	}
	if e.Used = 1; e.State(noon) != StateUsed {
		t.Errorf("State() = %s, want used", e.State(noon))
	}
}
