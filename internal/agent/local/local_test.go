package local

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type agent struct {
	all   []Session
	ended string
}

func (a *agent) LocalSessions() []Session { return a.all }

func (a *agent) EndRemoteSession(id string) bool {
	a.ended = id
	return id == "ses_1"
}

func TestSocket(t *testing.T) {
	dir := t.TempDir()
	if _, err := Sessions(t.Context(), dir); err == nil {
		t.Error("an agent that does not run answers")
	}
	if err := os.WriteFile(filepath.Join(dir, SocketName), nil, 0o600); err != nil { // as one that was killed leaves it
		t.Fatal(err)
	}
	a := &agent{all: []Session{{ID: "ses_1", Technician: "Ann", Kinds: []string{"terminal"}, Began: time.Unix(1, 0).UTC(), Expires: time.Unix(2, 0).UTC(), Accepted: true}}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, dir, a) }()
	var all []Session
	for again := time.Now().Add(time.Minute); ; {
		var err error
		if all, err = Sessions(t.Context(), dir); err == nil {
			break
		}
		if time.Now().After(again) {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(a.all, all); diff != "" {
		t.Errorf("sessions (-want +got):\n%s", diff)
	}
	if info, err := os.Stat(filepath.Join(dir, SocketName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is %v, %v, want it closed to others", info.Mode(), err)
	}
	if err := End(t.Context(), dir, "ses_1"); err != nil || a.ended != "ses_1" {
		t.Errorf("End = %v, ended %q", err, a.ended)
	}
	for _, id := range []string{"ses_2", "../sessions", "a b", "\x00"} {
		if err := End(t.Context(), dir, id); !errors.Is(err, ErrUnknown) {
			t.Errorf("End(%q) = %v, want ErrUnknown", id, err)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, SocketName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
}
