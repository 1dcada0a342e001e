package store

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

// TestEndpointEvents reads what happened to one endpoint, without its pushes and without others.
func TestEndpointEvents(t *testing.T) {
	s := running(t)
	k, other := addEndpoint(t, s, "pc-1"), addEndpoint(t, s, "pc-2")
	now := time.Now().UTC().Truncate(time.Microsecond)
	at := func(minutes int) time.Time { return now.Add(time.Duration(minutes) * time.Minute) }
	saved := func(k endpoint.Key, p endpoint.Presence) {
		s.SavePresence(k, p)
		if err := s.try(t.Context(), func(*tx) error { return nil }); err != nil { // behind it in the queue
			t.Fatal(err)
		}
	}
	saved(k, endpoint.Presence{State: endpoint.StateOnline, Since: at(1), RemoteAddr: "192.0.2.1:5"})
	saved(other, endpoint.Presence{State: endpoint.StateOnline, Since: at(2), RemoteAddr: "192.0.2.2:5", LastHeard: at(9)})
	mustAccept(t, s, k, 1)
	saved(k, endpoint.Presence{State: endpoint.StateOffline, Since: at(3), Reason: "silent", RemoteAddr: "192.0.2.1:5", LastHeard: at(2)})
	for _, tt := range []struct {
		until time.Time
		limit int
		want  string
	}{
		{at(60), 10, "endpoint.offline endpoint.online endpoint.created "},
		{at(2), 10, "endpoint.online endpoint.created "},
		{at(60), 1, "endpoint.offline "},
	} {
		all, err := s.EndpointEvents(t.Context(), k, tt.until, tt.limit)
		got := ""
		for _, e := range all {
			got += string(e.Type) + " "
			if e.Endpoint != "pc-1" || e.Push != "" || len(e.Data) < 2 {
				t.Errorf("event = %+v", e)
			}
		}
		if err != nil || got != tt.want {
			t.Errorf("EndpointEvents(%v, %d) = %s, %v, want %s", tt.until, tt.limit, got, err, tt.want)
		}
	}
	if all, err := s.EndpointEvents(t.Context(), endpoint.Key{Domain: k.Domain, ID: "pc-9"}, at(60), 10); len(all) != 0 || err != nil {
		t.Errorf("EndpointEvents() of nobody = %v, %v", all, err)
	}
	seen := ""
	if err := s.LastSeen(t.Context(), 10, func(k endpoint.Key, from netip.AddrPort) { seen += fmt.Sprintf("%s %s ", k.ID, from) }); err != nil || seen != "pc-2 192.0.2.2:5 pc-1 192.0.2.1:5 " {
		t.Errorf("LastSeen() tells %s, %v", seen, err)
	}
}

// TestPushesAhead counts what goes out before a push: what has a higher priority, and what is older.
func TestPushesAhead(t *testing.T) {
	s := running(t)
	k := addEndpoint(t, s, "pc-1")
	submit := func(p push.Priority) push.Status {
		st, err := s.AcceptPush(context.Background(), push.Submission{Push: push.Push{To: k, Type: "demo.ping", TTL: time.Hour, Priority: p}})
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	low, normal, second, high := submit(push.Low), submit(push.Normal), submit(push.Normal), submit(push.High)
	for i, tt := range []struct {
		st   push.Status
		want int
	}{{high, 0}, {normal, 1}, {second, 2}, {low, 3}} {
		if n, err := s.PushesAhead(t.Context(), k, tt.st.Priority, tt.st.ID); n != tt.want || err != nil {
			t.Errorf("push %d has %d ahead, %v, want %d", i, n, err, tt.want)
		}
	}
	for _, tt := range []struct {
		until time.Time
		want  int
	}{{time.Now().Add(time.Hour), 4}, {low.Created.Add(-time.Second), 0}, {high.Created, 4}} {
		if all, err := s.PushesCreated(t.Context(), k, tt.until, 10); len(all) != tt.want || err != nil {
			t.Errorf("PushesCreated(%v) = %d pushes, %v, want %d", tt.until, len(all), err, tt.want)
		}
	}
}
