// Package consent asks the user at the endpoint whether a remote session may begin, and shows while one runs.
package consent

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/agent/consent/dialog"
	"signalbox/internal/agent/remote"
	"signalbox/internal/channel"
	"signalbox/internal/signalling"
	"signalbox/internal/telemetry"
)

// lookWithin is how long it may take to find out who is logged in.
const lookWithin = 5 * time.Second

// seat is somebody who is logged in with a screen.
type seat struct {
	user   string // name or number, for the log
	locked bool
	show   func(context.Context, dialog.Task) (int, error) // shows a window there until it is answered, or ctx ends
}

// seats finds who is logged in, those in front of the screen first.
type seats func(context.Context) ([]seat, error)

// Users asks whoever is logged in. It implements remote.Consent.
type Users struct {
	find    seats
	users   func(context.Context) ([]uint32, error) // see Present
	log     *zap.Logger
	unasked atomic.Bool // who is logged in was not known at the last look, for questions
	unheard atomic.Bool // likewise, for Present
}

// New returns who asks the users of this system. program shows the windows; it is called with the argument Argument.
func New(program string, log *zap.Logger) *Users {
	return &Users{find: systemSeats(program), users: systemUsers, log: log.Named("consent")}
}

// Argument is the command of the agent's program that shows a window: see dialog.Main.
const Argument = "dialog"

// look returns the seats, those that are locked last.
func (u *Users) look(asked context.Context) (open, locked []seat, known bool) {
	ctx, cancel := context.WithTimeout(asked, lookWithin)
	defer cancel()
	all, err := u.find(ctx)
	if asked.Err() == nil { // else the answer does not matter any more
		u.note(&u.unasked, "users cannot be asked", err)
	}
	if err != nil {
		return nil, nil, false
	}
	for _, s := range all {
		if s.locked {
			locked = append(locked, s)
		} else {
			open = append(open, s)
		}
	}
	return open, locked, true
}

// Present returns the numbers of the users who are at this computer, in any order and perhaps repeated: all who would be shown a window, and those who are logged in at its own text console, where none can be
// shown. Who is logged in from elsewhere without a screen, as by ssh, is not among them. It returns within seconds; on Windows users have no numbers, and nobody is returned.
func (u *Users) Present(asked context.Context) ([]uint32, error) {
	ctx, cancel := context.WithTimeout(asked, lookWithin)
	defer cancel()
	all, err := u.users(ctx)
	if asked.Err() == nil {
		u.note(&u.unheard, "users cannot end remote sessions by the agent's socket", err)
	}
	return all, err
}

// note says that it is not known who is logged in and what follows, or that it is known again, once per change.
func (u *Users) note(was *atomic.Bool, follows string, err error) {
	if unknown := err != nil; was.Swap(unknown) == unknown {
		return
	}
	if err != nil {
		u.log.Warn("who is logged in is not known: "+follows, telemetry.Cause(err))
		return
	}
	u.log.Info("who is logged in is known")
}

// Desktop implements remote.Consent.
func (u *Users) Desktop(ctx context.Context) string {
	open, locked, known := u.look(ctx)
	switch {
	case !known:
		return signalling.DesktopUnknown
	case len(open) > 0:
		return signalling.DesktopActive
	case len(locked) > 0:
		return signalling.DesktopLocked
	}
	return signalling.DesktopNone
}

// Ask implements remote.Consent. A locked screen shows nothing, so behind one there is nobody who could answer. A user whom the question cannot be shown is not nobody: such a question lasts as long as any
// other that is not answered.
func (u *Users) Ask(ctx context.Context, q remote.Question) remote.Answer {
	open, _, _ := u.look(ctx)
	for _, s := range open {
		answer, err := s.show(ctx, question(q))
		switch {
		case err != nil:
			u.log.Warn("a user could not be asked", telemetry.Detail(s.user), telemetry.Cause(err))
			continue
		case answer == 0:
			return signalling.ConsentAllowed
		case answer == 1:
			return signalling.ConsentDenied
		}
		return signalling.ConsentTimedOut
	}
	if len(open) == 0 {
		return signalling.ConsentNobody
	}
	<-ctx.Done()
	return remote.NotShown
}

// question is what the window says.
func question(q remote.Question) dialog.Task {
	t := dialog.Task{Title: "May somebody connect to this computer?", Seconds: int(q.Timeout / time.Second), Buttons: []string{"Allow", "Deny"}}
	ask := q.Message
	if ask == "" {
		ask = fmt.Sprintf("%s wants to connect to this computer.", q.Technician.Name)
	} else {
		t.Lines = append(t.Lines, "Technician: "+q.Technician.Name)
	}
	t.Lines = append(t.Lines, ask, "What for: "+kinds(q.Kinds))
	if q.Why != "" {
		t.Lines = append(t.Lines, "Reason: "+q.Why)
	}
	silence := "Without an answer the connection is refused."
	if q.Allows {
		silence = "Without an answer the connection is allowed."
	}
	t.Lines = append(t.Lines, silence)
	for i, line := range t.Lines {
		t.Lines[i] = dialog.Plain(line)
	}
	return t
}

var names = map[string]string{
	channel.Terminal: "command line", channel.Files: "files", channel.Processes: "running programs", channel.Desktop: "screen", channel.System: "system information",
}

func kinds(all []string) string {
	words := make([]string, 0, len(all))
	for _, k := range all {
		if name, ok := names[k]; ok {
			words = append(words, name)
		}
	}
	return strings.Join(words, ", ")
}

// Notify implements remote.Consent. Everybody who is logged in is shown it; who comes later is not.
func (u *Users) Notify(n remote.Notice) (done func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var shown sync.WaitGroup
	shown.Go(func() {
		open, locked, _ := u.look(ctx)
		for _, s := range append(open, locked...) {
			shown.Go(func() { u.notify(ctx, s, n) })
		}
	})
	return func() {
		cancel()
		shown.Wait()
	}
}

func (u *Users) notify(ctx context.Context, s seat, n remote.Notice) {
	t := dialog.Task{
		Title: "Somebody is connected to this computer", Notice: true, Buttons: []string{"End the connection"},
		Lines: []string{dialog.Plain(n.Technician.Name), "What for: " + kinds(n.Kinds)},
	}
	answer, err := s.show(ctx, t)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		u.log.Warn("a user could not be shown that a session runs", telemetry.Detail(s.user), telemetry.Cause(err))
	case answer == 0:
		n.End()
	}
}
