package storetest

import (
	"testing"
	"time"

	"signalbox/internal/endpoint"
)

func testSaveEndpoints(t *testing.T, s Subject) {
	old := endpoint.Endpoint{Key: key("old"), Enabled: true, Labels: map[string]string{"a": "1"}, Groups: []string{"g"}, Created: day, Updated: day}
	noError(t, s.CreateEndpoint(t.Context(), old, endpoint.Secret{Fast: []byte("old")}))
	keys := endpoint.Secret{Scram: map[string]endpoint.ScramKeys{endpoint.ScramSHA1: {Salt: []byte("salt"), Iterations: 4096}}}
	later := day.Add(time.Hour)
	off := false
	item := func(id string) endpoint.Saving {
		return endpoint.Saving{
			Endpoint: endpoint.Endpoint{Key: key(id), Enabled: true, Labels: map[string]string{}, Groups: []string{}, Created: later, Updated: later},
			Secret:   keys, Patch: endpoint.Patch{Enabled: &off, Labels: map[string]string{"b": "2"}, Secret: &keys},
		}
	}
	gone := item("gone")
	gone.Secret = endpoint.Secret{}
	for _, tt := range []struct {
		on   endpoint.OnExisting
		list []endpoint.Saving
		want []endpoint.BatchOutcome
	}{
		{endpoint.FailExisting, []endpoint.Saving{item("one"), item("old"), item("one")}, []endpoint.BatchOutcome{endpoint.BatchCreated, endpoint.BatchFailed, endpoint.BatchFailed}},
		{endpoint.SkipExisting, []endpoint.Saving{item("two"), item("old")}, []endpoint.BatchOutcome{endpoint.BatchCreated, endpoint.BatchExisted}},
		{endpoint.UpdateExisting, []endpoint.Saving{item("three"), gone}, []endpoint.BatchOutcome{endpoint.BatchCreated, endpoint.BatchFailed}},
	} {
		got, err := s.SaveEndpoints(t.Context(), tt.list, tt.on)
		noError(t, err)
		diff(t, "outcomes", got, tt.want)
	}
	got, err := s.Endpoint(t.Context(), key("old"))
	noError(t, err)
	diff(t, "one that nothing changed", got.Endpoint, old)
	got, err = s.Endpoint(t.Context(), key("two"))
	noError(t, err)
	diff(t, "one that was created", got.Endpoint, item("two").Endpoint)

	outcomes, err := s.SaveEndpoints(t.Context(), []endpoint.Saving{item("old")}, endpoint.UpdateExisting)
	noError(t, err)
	diff(t, "outcomes", outcomes, []endpoint.BatchOutcome{endpoint.BatchUpdated})
	got, err = s.Endpoint(t.Context(), key("old"))
	noError(t, err)
	old.Enabled, old.Labels, old.Updated = false, map[string]string{"b": "2"}, later
	diff(t, "one that was updated", got.Endpoint, old)
	secret, enabled, err := s.EndpointSecret(t.Context(), key("old"))
	noError(t, err)
	diff(t, "its secret", secret, keys)
	if enabled {
		t.Error("it is still enabled")
	}
}
