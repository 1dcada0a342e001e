package client_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"signalbox/internal/client"
)

func TestPresences(t *testing.T) {
	c, ctx := dialReal(t), t.Context()
	for _, id := range []string{"pc-1", "pc-2"} {
		_, err := c.CreateEndpoint(ctx, client.NewEndpoint{ID: id})
		must(t, err)
	}
	p, err := c.Probe(ctx, "pc-1")
	must(t, err)
	if p.State != "offline" || p.Presence.State != "never" || p.AskedAt.IsZero() {
		t.Errorf("probe = %+v", p)
	}
	var problem *client.Problem
	if _, err := c.Probe(ctx, "pc-9"); !errors.As(err, &problem) || problem.Code != "unknown_endpoint" {
		t.Errorf("probe of an unknown endpoint: %v", err)
	}
	got, err := c.QueryPresence(ctx, []string{"pc-2", "pc-9"})
	must(t, err)
	if len(got.Items) != 1 || got.Items[0].ID != "pc-2" || got.Items[0].State != "never" || fmt.Sprint(got.Unknown) != "[pc-9]" {
		t.Errorf("query = %+v", got)
	}
	var all []string
	head, err := c.TakeSnapshot(ctx, client.EndpointFilter{State: "never"}, func(e client.SnapshotEndpoint) error {
		all = append(all, e.ID+" "+e.State)
		return nil
	})
	must(t, err)
	if fmt.Sprint(all) != "[pc-1 never pc-2 never]" || head.Seq != 2 || head.Endpoints != 2 || !strings.HasPrefix(head.LastEvent, "evt_") {
		t.Errorf("snapshot = %+v, %v", head, all)
	}
	full := errors.New("full")
	if _, err := c.TakeSnapshot(ctx, client.EndpointFilter{}, func(client.SnapshotEndpoint) error { return full }); !errors.Is(err, full) {
		t.Errorf("TakeSnapshot = %v, want the error of its caller", err)
	}
	if _, err := c.TakeSnapshot(ctx, client.EndpointFilter{State: "green"}, nil); !errors.As(err, &problem) || problem.Code != "validation_failed" {
		t.Errorf("TakeSnapshot of a state that there is not: %v", err)
	}
}

// TestCutSnapshot: a snapshot that ends early is no snapshot.
func TestCutSnapshot(t *testing.T) {
	for _, text := range []string{"", "{\"seq\":1,\"endpoints\":2}\n{\"id\":\"a\"}\n", "{\"seq\":1,\"endpoints\":1}\n{\"id\":", "<html>"} {
		c := dial(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }), "t", client.Options{})
		if _, err := c.TakeSnapshot(t.Context(), client.EndpointFilter{}, func(client.SnapshotEndpoint) error { return nil }); err == nil {
			t.Errorf("%q is taken as a snapshot", text)
		}
	}
}
