package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"signalbox/internal/endpoint"
)

// fastStore keeps the tokens of fast logins.
type fastStore interface {
	FastTokens(ctx context.Context, k endpoint.Key, client string) (endpoint.FastTokens, error)
	SaveFastTokens(ctx context.Context, k endpoint.Key, client string, t endpoint.FastTokens) error
}

// fastTokens has a current token that is over after some hours.
func fastTokens(hours int) endpoint.FastTokens {
	expires := day.Add(time.Duration(hours) * time.Hour).Truncate(time.Second)
	return endpoint.FastTokens{Mark: []byte("mark"), Current: endpoint.FastToken{Seed: []byte{0, 1, 255}, Mechanism: "HT-SHA-256-NONE", Expires: expires, Count: 1<<32 - 1}}
}

func wantFast(t *testing.T, s Subject, k endpoint.Key, client string, want endpoint.FastTokens) {
	t.Helper()
	got, err := s.FastTokens(t.Context(), k, client)
	noError(t, err)
	diff(t, "tokens of "+client, got, want)
}

func testFastTokens(t *testing.T, s Subject) {
	one, two := addEndpoint(t, s, "pc-1"), addEndpoint(t, s, "pc-2")
	wantFast(t, s, one, "a", endpoint.FastTokens{})
	wantFast(t, s, key("nobody"), "a", endpoint.FastTokens{})
	both := fastTokens(1)
	both.New = endpoint.FastToken{Seed: []byte{7}, Mechanism: "HT-SHA-256-EXPR", Expires: day.Add(2 * time.Hour).Truncate(time.Second)}
	for _, save := range []struct {
		k      endpoint.Key
		client string
		t      endpoint.FastTokens
	}{{one, "a", fastTokens(1)}, {one, "b", fastTokens(2)}, {two, "a", fastTokens(3)}, {one, "a", both}} {
		noError(t, s.SaveFastTokens(t.Context(), save.k, save.client, save.t))
	}
	wantFast(t, s, one, "a", both)
	wantFast(t, s, one, "b", fastTokens(2))
	wantFast(t, s, two, "a", fastTokens(3))
	wantFast(t, s, endpoint.Key{Domain: "other.example", ID: "pc-1"}, "a", endpoint.FastTokens{})

	noError(t, s.SaveFastTokens(t.Context(), one, "a", endpoint.FastTokens{}))
	wantFast(t, s, one, "a", endpoint.FastTokens{})
	wantFast(t, s, one, "b", fastTokens(2))
	if err := s.SaveFastTokens(t.Context(), key("nobody"), "a", both); !errors.Is(err, endpoint.ErrUnknown) {
		t.Errorf("SaveFastTokens of an unknown endpoint = %v, want ErrUnknown", err)
	}
}

// testFastTokensEnd: attack row 47, no token outlives the secret, the permission or the endpoint.
func testFastTokensEnd(t *testing.T, s Subject) {
	off, on := false, true
	secret := endpoint.Secret{Fast: []byte{1}}
	other := addEndpoint(t, s, "other")
	noError(t, s.SaveFastTokens(t.Context(), other, "a", fastTokens(1)))
	for name, end := range map[string]func(k endpoint.Key) error{
		"secret": func(k endpoint.Key) error {
			_, err := s.UpdateEndpoint(t.Context(), k, endpoint.Patch{Secret: &secret}, day)
			return err
		},
		"disabled": func(k endpoint.Key) error {
			_, err := s.UpdateEndpoint(t.Context(), k, endpoint.Patch{Enabled: &off}, day)
			return err
		},
		"deleted": func(k endpoint.Key) error { return s.DeleteEndpoint(t.Context(), k) },
	} {
		k := addEndpoint(t, s, "pc-"+name)
		noError(t, s.SaveFastTokens(t.Context(), k, "a", fastTokens(1)))
		noError(t, s.SaveFastTokens(t.Context(), k, "b", fastTokens(1)))
		_, err := s.UpdateEndpoint(t.Context(), k, endpoint.Patch{Enabled: &on, Groups: []string{"lab"}}, day)
		noError(t, err)
		wantFast(t, s, k, "a", fastTokens(1)) // groups are no reason

		noError(t, end(k))
		wantFast(t, s, k, "a", endpoint.FastTokens{})
		wantFast(t, s, k, "b", endpoint.FastTokens{})
		if name == "disabled" {
			if err := s.SaveFastTokens(t.Context(), k, "a", fastTokens(1)); !errors.Is(err, endpoint.ErrDisabled) {
				t.Errorf("SaveFastTokens of a disabled endpoint = %v, want ErrDisabled", err)
			}
			_, err := s.UpdateEndpoint(t.Context(), k, endpoint.Patch{Enabled: &on}, day)
			noError(t, err)
			wantFast(t, s, k, "a", endpoint.FastTokens{})
		}
	}
	addEndpoint(t, s, "pc-deleted")
	wantFast(t, s, key("pc-deleted"), "a", endpoint.FastTokens{})
	wantFast(t, s, other, "a", fastTokens(1))
}

// testFastTokensAreBounded: those that expire first give way, and never the client that is just there.
func testFastTokensAreBounded(t *testing.T, s Subject) {
	k := addEndpoint(t, s, "pc-1")
	client := func(i int) string { return fmt.Sprintf("client-%02d", i) }
	for i := range endpoint.MaxFastClients {
		noError(t, s.SaveFastTokens(t.Context(), k, client(i), fastTokens(10+i)))
	}
	noError(t, s.SaveFastTokens(t.Context(), k, "brief", fastTokens(1)))
	wantFast(t, s, k, "brief", fastTokens(1))
	wantFast(t, s, k, client(0), endpoint.FastTokens{})
	for i := 1; i < endpoint.MaxFastClients; i++ {
		wantFast(t, s, k, client(i), fastTokens(10+i))
	}
	noError(t, s.SaveFastTokens(t.Context(), k, "next", fastTokens(100)))
	wantFast(t, s, k, "brief", endpoint.FastTokens{})
}
