package endpoint

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRestore: sessions of the last run are there, suspended, and the one that came last leads; nothing of it is stored, since it is stored already.
func TestRestore(t *testing.T) {
	r, p, w := newTestRegistry(t)
	r.most = 2
	since := clock().Add(-time.Minute)
	one, two, three := &fake{r: r, k: pc1, name: "one"}, &fake{r: r, k: pc1, name: "two"}, &fake{r: r, k: pc1, name: "three"}
	if !r.Restore(pc1, one, true, since, ReasonShutdown) || !r.Restore(pc1, two, false, since, ReasonShutdown) {
		t.Fatal("not restored")
	}
	if r.Restore(pc1, three, true, since, ReasonShutdown) {
		t.Error("one more than may be is restored")
	}
	if p, ok := r.Live(pc1); !ok || p.State != StateOffline || !p.Since.Equal(since) || p.Reason != "shutdown" || p.Resource != "two" {
		t.Errorf("Live = %+v, %v", p, ok)
	}
	if len(p.all) != 0 {
		t.Errorf("presences were stored: %v", p.all)
	}
	if err := r.Route(pc1, Stanza{}); err != ErrOffline {
		t.Errorf("Route = %v", err)
	}
	want := []string{"0 ", "1 ", "3 shutdown", "5 replaced", "0 ", "3 shutdown"}
	for i := range want {
		want[i] = strings.ReplaceAll(want[i], " ", "")
	}
	if diff := cmp.Diff(want, w.list); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if !r.Resume(pc1, one, 1) {
		t.Fatal("not resumed")
	}
	if p, _ := r.Live(pc1); p.State != StateOnline || p.Resource != "one" {
		t.Errorf("after the resumption: %+v", p)
	}
	r.Disconnect(pc1, ReasonDisconnected)
	if r.Bind(pc1, three) != nil || r.Restore(pc1, one, true, since, ReasonShutdown) {
		t.Error("a session is restored beside one that is online")
	}
}

func TestReasonNamed(t *testing.T) {
	for name, want := range map[string]Reason{"shutdown": ReasonShutdown, "connection_lost": ReasonConnectionLost, "": ReasonRestarted, "unknown": ReasonRestarted} {
		if got := ReasonNamed(name); got != want {
			t.Errorf("ReasonNamed(%q) = %v", name, got)
		}
	}
}
