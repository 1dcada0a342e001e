package sasl

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/internal/endpoint"
)

func TestPlain(t *testing.T) {
	long := strings.Repeat("x", endpoint.MaxSecretBytes)
	tests := []struct {
		name, message string
		want          Condition
	}{
		{"person's secret", "\x00pc-1\x00" + testSecret, ""},
		{"machine-made secret", "\x00fast-1\x00" + testSecret, ""},
		{"case of the user name is folded", "\x00PC-1\x00" + testSecret, ""},
		{"secret of another server, for SHA-1 alone", "\x00sha1-1\x00" + testSecret, ""},
		{"wrong one of that", "\x00sha1-1\x00wrong", NotAuthorized},
		{"own authzid", "pc-1@" + testDomain + "\x00pc-1\x00" + testSecret, ""},
		{"wrong secret", "\x00pc-1\x00wrong", NotAuthorized},
		{"wrong machine-made secret", "\x00fast-1\x00wrong", NotAuthorized},
		{"beginning of the secret", "\x00pc-1\x00" + testSecret[:len(testSecret)-1], NotAuthorized},
		{"secret and more", "\x00pc-1\x00" + testSecret + "x", NotAuthorized},
		{"longest password", "\x00pc-1\x00" + long, NotAuthorized},
		{"unknown user", "\x00nobody\x00" + testSecret, NotAuthorized},
		{"user that is no id", "\x00pc 1\x00" + testSecret, NotAuthorized},
		{"user with domain", "\x00pc-1@" + testDomain + "\x00" + testSecret, NotAuthorized},
		{"Kelvin sign is not folded to k", "\x00\u212a\x00" + testSecret, NotAuthorized},
		{"disabled", "\x00off-1\x00" + testSecret, AccountDisabled},
		{"disabled, wrong secret", "\x00off-1\x00wrong", NotAuthorized},
		{"store fails", "\x00bad-1\x00" + testSecret, TemporaryAuthFailure},
		{"empty", "", MalformedRequest},
		{"no NUL", "pc-1", MalformedRequest},
		{"one NUL", "pc-1\x00" + testSecret, MalformedRequest},
		{"three NULs", "\x00pc-1\x00" + testSecret + "\x00", MalformedRequest},
		{"NULs alone", "\x00\x00", MalformedRequest},
		{"no user", "\x00\x00" + testSecret, MalformedRequest},
		{"authzid and no user", "pc-1@" + testDomain + "\x00\x00" + testSecret, MalformedRequest},
		{"no password", "\x00pc-1\x00", MalformedRequest},
		{"password too long", "\x00pc-1\x00" + long + "x", MalformedRequest},
		{"not UTF-8", "\x00pc-1\x00\xff", MalformedRequest},
		{"longer than the limit", strings.Repeat("x", MaxMessageBytes) + "\x00pc-1\x00" + testSecret, MalformedRequest},
	}
	s, _ := newTestServer(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := start(t, s, Plain, tls13())
			challenge, done, err := x.Step(t.Context(), []byte(tt.message))
			if got := condition(t, err); got != tt.want || done != (tt.want == "") || len(challenge) != 0 {
				t.Errorf("Step() = %q, %v, %v, want %q", challenge, done, err, tt.want)
			}
			if loggedIn := x.Identity() != (endpoint.Key{}); loggedIn != (tt.want == "") {
				t.Errorf("Identity() = %v", x.Identity())
			}
		})
	}
}

// While all slow hashes are busy, every failure waits, so that waiting tells nothing; a machine-made secret that is right needs none.
func TestAttack17PlainFailuresWaitInOneQueue(t *testing.T) {
	tests := []struct {
		name, message string
		waits         bool
	}{
		{"unknown user", "\x00nobody\x00wrong-secret", true},
		{"user that is no id", "\x00no body\x00wrong-secret", true},
		{"wrong person's secret", "\x00pc-1\x00wrong-secret", true},
		{"wrong machine-made secret", "\x00fast-1\x00wrong-secret", true},
		{"disabled, wrong secret", "\x00off-1\x00wrong-secret", true},
		{"right person's secret", "\x00pc-1\x00" + testSecret, true},
		{"right machine-made secret", "\x00fast-1\x00" + testSecret, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := newTestServer(t)
				s.slow = make(chan struct{}, 1) // of this bubble
				s.slow <- struct{}{}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				began := time.Now()
				_, _, err := start(t, s, Plain, tls13()).Step(ctx, []byte(tt.message))
				if waited := time.Since(began) == time.Minute; waited != tt.waits {
					t.Errorf("waited: %v, want %v", waited, tt.waits)
				}
				if got := condition(t, err); tt.waits && got != TemporaryAuthFailure || !tt.waits && got != "" {
					t.Errorf("Step() = %v", err)
				}
				<-s.slow
				if len(s.slow) != 0 {
					t.Error("a place for a slow hash was not given back")
				}
			})
		})
	}
}

func TestSlowHashesGiveTheirPlaceBack(t *testing.T) {
	s, _ := newTestServer(t) // one place
	for _, message := range []string{"\x00nobody\x00wrong", "\x00pc-1\x00wrong", "\x00fast-1\x00wrong", "\x00pc-1\x00" + testSecret} {
		start(t, s, Plain, tls13()).Step(t.Context(), []byte(message))
		if len(s.slow) != 0 {
			t.Fatalf("after %q %d places are taken", message, len(s.slow))
		}
	}
}

func TestAttack17UnknownUserCostsASlowHash(t *testing.T) {
	s, _ := newTestServer(t)
	refused := func(message string) time.Duration {
		t.Helper()
		began := time.Now()
		_, _, err := start(t, s, Plain, tls13()).Step(t.Context(), []byte(message))
		took := time.Since(began)
		if got := condition(t, err); got != NotAuthorized {
			t.Fatalf("Step() = %q, want %q", got, NotAuthorized)
		}
		return took
	}
	known, unknown := time.Hour, time.Hour // the fastest of each, in turns: what else the machine does comes and goes
	for range 20 {
		known, unknown = min(known, refused("\x00pc-1\x00wrong-secret")), min(unknown, refused("\x00nobody\x00wrong-secret"))
	}
	if unknown < known/4 {
		t.Errorf("an unknown user is refused after %v, a known one after %v", unknown, known)
	}
}
