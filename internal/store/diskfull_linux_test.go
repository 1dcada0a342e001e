package store

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

// TestFullDisk fills a real, small file system: what was accepted stays, marks wait, and all goes on when there is space again.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("LEFT OUT: a full disk under the store: mounting a small file system takes root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, filepath.Join(dir, "data", FileName), Default())
	defer start(t, s)()
	k := addEndpoint(t, s, "pc-1")
	first := mustAccept(t, s, k, 10)
	accepted := 1 + fillUntilFull(t, s, k)
	if err := s.Ready(t.Context()); !errors.Is(err, push.ErrNoSpace) {
		t.Errorf("Ready = %v, want ErrNoSpace", err)
	}
	s.AdvancePushes([]push.Transition{{ID: first.ID, Key: k, To: push.Sent}}, nil)
	s.SavePresence(k, endpoint.Presence{State: endpoint.StateOnline})
	if n, err := s.CountWaiting(t.Context(), k); n != accepted || err != nil {
		t.Errorf("CountWaiting = %d, %v, want the %d accepted ones", n, err, accepted)
	}

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	mustAccept(t, s, k, 32<<10)
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("Ready = %v, want nil", err)
	}
	st, err := s.Push(t.Context(), k.Domain, first.ID)
	if err != nil || st.State != push.Sent {
		t.Errorf("the mark made while the disk was full left the push in state %s, %v", st.State, err)
	}
	mustAccept(t, s, k, 0) // behind the presence
	if r, err := s.Endpoint(t.Context(), k); err != nil || r.Presence.State != endpoint.StateOnline {
		t.Errorf("Endpoint = %+v, %v, want the presence saved while the disk was full", r, err)
	}
}
