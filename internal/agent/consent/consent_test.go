package consent

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"signalbox/internal/agent/remote"
	"signalbox/internal/signalling"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A system on which nobody can be found says so when that begins and when it ends, however often somebody is to be asked; a look that nobody waits for says nothing.
func TestUnknownUsersAreLoggedOnce(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	var broken error
	u := &Users{log: zap.New(core), find: func(ctx context.Context) ([]seat, error) { return nil, errors.Join(broken, ctx.Err()) }}
	ask := func(ctx context.Context, desktop string) {
		t.Helper()
		if got := u.Desktop(ctx); got != desktop {
			t.Errorf("Desktop() = %q, want %q", got, desktop)
		}
		if got := u.Ask(ctx, remote.Question{Timeout: time.Second}); got != signalling.ConsentNobody {
			t.Errorf("Ask() = %q", got)
		}
		u.Notify(remote.Notice{})()
	}
	ask(t.Context(), signalling.DesktopNone)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	ask(over, signalling.DesktopUnknown)
	if got := logs.TakeAll(); len(got) != 0 {
		t.Errorf("the log has %v while everything is known", got)
	}
	broken = errors.New("no system bus")
	for range 3 {
		ask(t.Context(), signalling.DesktopUnknown)
	}
	if got := logs.TakeAll(); len(got) != 1 || got[0].Level != zap.WarnLevel {
		t.Errorf("the log has %v, want one warning", got)
	}
	broken = nil
	ask(t.Context(), signalling.DesktopNone)
	ask(t.Context(), signalling.DesktopNone)
	if got := logs.TakeAll(); len(got) != 1 || got[0].Level != zap.InfoLevel {
		t.Errorf("the log has %v, want one word", got)
	}
}
