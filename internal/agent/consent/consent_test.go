package consent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"signalbox/internal/agent/consent/dialog"
	"signalbox/internal/agent/remote"
	"signalbox/internal/channel"
	"signalbox/internal/signalling"
)

// TestMain shows a window where the agent's program would.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == Argument {
		if err := dialog.Main(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

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

// A question can be shown for as short and as long as may be asked, and says who asks, what and why.
func TestQuestion(t *testing.T) {
	q := remote.Question{
		Technician: signalling.Technician{ID: "zoe", Name: "Zoë Müller"}, Message: strings.Repeat("May I?! ", 62) + "Yes?", Why: "ticket 4711", Kinds: []string{channel.Terminal},
	}
	if len(q.Message) != 500 {
		t.Fatalf("the message has %d bytes", len(q.Message))
	}
	for _, timeout := range []time.Duration{signalling.MinConsent, signalling.MaxConsent} {
		for allows, silence := range map[bool]string{true: "Without an answer the connection is allowed.", false: "Without an answer the connection is refused."} {
			q.Timeout, q.Allows = timeout, allows
			task := question(q)
			if err := task.Validate(); err != nil || task.Seconds != int(timeout.Seconds()) {
				t.Errorf("a question of %v lasts %d s: %v", timeout, task.Seconds, err)
			}
			text := strings.Join(task.Lines, "\n")
			for _, want := range []string{q.Technician.Name, q.Message, q.Why, "command line", silence} {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in\n%s", want, text)
				}
			}
		}
	}
}

// Whoever is there and cannot be shown the question is not nobody: without another who answers, it is one that nobody answers until its time is over.
func TestQuestionIsNotShown(t *testing.T) {
	answers := func(answer int, err error) seat {
		return seat{show: func(context.Context, dialog.Task) (int, error) { return answer, err }}
	}
	broken := answers(0, errors.New("no display"))
	locked := answers(0, nil)
	locked.locked = true
	for _, tt := range []struct {
		name  string
		seats []seat
		want  remote.Answer
		after time.Duration
	}{
		{"nobody", nil, signalling.ConsentNobody, 0},
		{"a locked screen", []seat{locked}, signalling.ConsentNobody, 0},
		{"no window", []seat{broken}, remote.NotShown, signalling.MaxConsent},
		{"no window, and a locked screen", []seat{broken, locked}, remote.NotShown, signalling.MaxConsent},
		{"another user", []seat{broken, answers(1, nil)}, signalling.ConsentDenied, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), signalling.MaxConsent)
				defer cancel()
				u := &Users{log: zap.NewNop(), find: func(context.Context) ([]seat, error) { return tt.seats, nil }}
				began := time.Now()
				if got := u.Ask(ctx, remote.Question{Timeout: signalling.MaxConsent}); got != tt.want || time.Since(began) != tt.after {
					t.Errorf("Ask() = %q after %v, want %q after %v", got, time.Since(began), tt.want, tt.after)
				}
			})
		})
	}
}
