package sasl

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"signalbox/internal/endpoint"
	"signalbox/internal/signalling"
)

const testSession = "ses_06d5wq2k40000"

// TestTechnician: a name that is a session's goes to who knows sessions, and is no endpoint's; the token is used when all else is right.
func TestTechnician(t *testing.T) {
	for _, tc := range []struct {
		name, mechanism, message string
		asked                    string // session and token that were asked for
		want                     Condition
	}{
		{"right token", Plain, "\x00" + testSession + "\x00t0ken", testSession + " t0ken", ""},
		{"own authzid", Plain, testSession + "@" + testDomain + "\x00" + testSession + "\x00t0ken", testSession + " t0ken", ""},
		{"wrong token", Plain, "\x00" + testSession + "\x00wrong", testSession + " wrong", NotAuthorized},
		{"store fails", Plain, "\x00" + testSession + "\x00broken", testSession + " broken", TemporaryAuthFailure},
		{"authzid of an endpoint", Plain, "pc-1@" + testDomain + "\x00" + testSession + "\x00t0ken", "", InvalidAuthzid},
		{"no token", Plain, "\x00" + testSession + "\x00", "", MalformedRequest},
		{"id of another kind", Plain, "\x00psh_06d5wq2k40000\x00t0ken", "", NotAuthorized},
		{"endpoint", Plain, "\x00fast-1\x00" + testSecret, "", ""},
		{"another mechanism", ScramSHA256, "n,,n=" + testSession + ",r=" + testClientNonce, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, accounts := newTestServer(t)
			asked := ""
			x, err := s.Start(tc.mechanism, Input{Domain: testDomain, TLS: tls13(), Technician: func(_ context.Context, session, token string) error {
				asked = session + " " + token
				switch token {
				case "wrong":
					return fmt.Errorf("attach: %w", signalling.ErrTokenRefused)
				case "broken":
					return errors.New("disk is gone")
				}
				return nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			_, done, err := x.Step(t.Context(), []byte(tc.message))
			in := tc.asked != "" && tc.want == ""
			if got := condition(t, err); got != tc.want || asked != tc.asked || x.Technician() != in || in && !done || err != nil && done {
				t.Errorf("Step = %v, %v, asked for %q, technician %v; want %q, %q, %v", done, err, asked, x.Technician(), tc.want, tc.asked, in)
			}
			if asked != "" && (accounts.asked.Load() != 0 || x.Identity() != endpoint.Key{} || x.Claimed() != endpoint.Key{}) {
				t.Error("a technician is taken for an endpoint")
			}
		})
	}
}

// TestNoTechnicians: where sessions are not served, a session's name is an unknown endpoint's.
func TestNoTechnicians(t *testing.T) {
	s, _ := newTestServer(t)
	x := start(t, s, Plain, tls13())
	if _, _, err := x.Step(t.Context(), []byte("\x00"+testSession+"\x00t0ken")); condition(t, err) != NotAuthorized || !errors.Is(err, ErrUnknownEndpoint) {
		t.Errorf("Step = %v, want an unknown endpoint", err)
	}
}
