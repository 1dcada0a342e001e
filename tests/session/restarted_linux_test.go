package session

import (
	"context"
	"io"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"signalbox/internal/channel"
	channels "signalbox/internal/channel/client"
	"signalbox/internal/client"
	"signalbox/internal/signalling"
	"signalbox/internal/viewer"
	"signalbox/tests/harness"
)

// TestTURNProcessIsKilled: a technician over TURN hears at once that it was restarted, by a WebSocket or XMPP, and the terminal goes on over the connection that it has, which would be
// replaced if they had to find out; one who goes directly has nothing to do.
func TestTURNProcessIsKilled(t *testing.T) {
	w := newWorld(t, true)
	told, byXMPP, idle := make(chan struct{}, 16), make(chan struct{}, 16), atomic.Int32{}
	a := w.attach("turn_only", func(c *viewer.Config) { c.OnRestarted = func() { told <- struct{}{} } })
	direct := w.attach("auto", func(c *viewer.Config) { c.OnRestarted = func() { idle.Add(1) } })
	x := w.attach("turn_only", w.overXMPP, func(c *viewer.Config) { c.OnRestarted = func() { byXMPP <- struct{}{} } })
	for _, one := range []*technician{direct, x} {
		keeps := one.open(channel.System)
		defer keeps.Close() //nolint:errcheck // the session ends
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	term, err := channels.OpenTerminal(ctx, a.open(channel.Terminal), channel.TerminalOpen{Cols: 80, Rows: 24})
	must(t, err)
	defer term.Close() //nolint:errcheck // it has ended
	before, after := newScreen("it is 42"), newScreen("now 54")
	ended := make(chan error, 1)
	go func() {
		_, _, err := term.Copy(ctx, io.MultiWriter(before, after))
		ended <- err
	}()
	shows := func(s *screen, typed string) {
		t.Helper()
		must(t, term.Type(ctx, []byte(typed)))
		select {
		case <-s.seen:
		case err := <-ended:
			t.Fatalf("the terminal ended with %v", err)
		}
	}
	shows(before, "echo it is $((6*7))\n")
	for _, one := range []struct {
		*technician
		rung string
	}{{a, signalling.RungTURNUDP}, {x, signalling.RungTURNUDP}, {direct, signalling.RungDirect}} {
		one.awaitRecord("on its way", func(s client.Session) bool { return s.Path == one.rung && one.Path().Rung == one.rung })
	}
	must(t, syscall.Kill(harness.TURNPid(t), syscall.SIGKILL))
	for name, hears := range map[string]chan struct{}{"by WebSocket": told, "by XMPP": byXMPP} {
		select {
		case <-hears:
		case <-ctx.Done():
			t.Fatalf("the technician who signals %s is not told", name)
		}
	}
	shows(after, "echo now $((6*9))\n")
	must(t, direct.End(t.Context()))
	must(t, <-direct.ended)
	if len(told)+len(byXMPP) > 0 || idle.Load() > 0 {
		t.Errorf("%d more times told, and %d times for a direct connection; want neither", len(told)+len(byXMPP), idle.Load())
	}
	must(t, term.Type(ctx, []byte("exit\n")))
	must(t, <-ended)
	for _, one := range []*technician{a, x} {
		must(t, one.End(t.Context()))
		must(t, <-one.ended)
	}
}
