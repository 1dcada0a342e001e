package store

import (
	"context"
	"path/filepath"
	"testing"

	"signalbox/internal/endpoint"
)

// TestPresencesKeepTheirPlace queues presences among the endpoint's other changes before anything is written.
func TestPresencesKeepTheirPlace(t *testing.T) {
	k := endpoint.Key{Domain: "push.example", ID: "pc-1"}
	online, offline := endpoint.Presence{State: endpoint.StateOnline}, endpoint.Presence{State: endpoint.StateOffline, Reason: "endpoint_deleted"}
	create, remove := &createEndpoint{endpoint: endpoint.Endpoint{Key: k, Enabled: true}}, &deleteEndpoint{key: k}
	for _, test := range []struct {
		name  string
		steps []any // operations and presences
		want  endpoint.State
	}{
		{"offline between the end and a new endpoint", []any{create, online, remove, offline, create}, endpoint.StateNever},
		{"online at the new endpoint", []any{create, online, remove, offline, create, online}, endpoint.StateOnline},
		{"two without anything between them", []any{create, online, offline}, endpoint.StateOffline},
		{"online after all were ended", []any{create, online, &endPresences{limit: maxChunk}, online}, endpoint.StateOnline},
		{"ended after online", []any{create, online, &endPresences{limit: maxChunk}}, endpoint.StateOffline},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := openAt(t, filepath.Join(t.TempDir(), FileName), Default())
			for _, step := range test.steps {
				if p, ok := step.(endpoint.Presence); ok {
					s.SavePresence(k, p)
				} else if err := s.queue.put(&entry{op: step.(operation), size: 1, done: make(chan error, 1)}); err != nil {
					t.Fatal(err)
				}
			}
			defer start(t, s)()
			if err := s.do(context.Background(), probe{}); err != nil {
				t.Fatal(err)
			}
			r, err := s.Endpoint(t.Context(), k)
			if err != nil || r.Presence.State != test.want {
				t.Errorf("Endpoint has presence %s, %v, want %s", r.Presence.State, err, test.want)
			}
			all, err := s.Endpoints(t.Context(), endpoint.Query{Domain: k.Domain, Limit: 10})
			if err != nil || len(all) != 1 || all[0].Presence.State != test.want {
				t.Errorf("Endpoints = %v, %v, want one with presence %s", all, err, test.want)
			}
		})
	}
}
