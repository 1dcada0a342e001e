package turnsessions

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"signalbox/internal/client"
	"signalbox/internal/config"
	"signalbox/tests/harness"
	"signalbox/turn"
	"signalbox/turn/control"
	"signalbox/turn/turntest"
	"signalbox/turn/wire"
)

// far is a TURN process as on another host: its server reaches it over mutual TLS, through a front that can be closed.
type far struct {
	t      *testing.T
	server *harness.Server
	front  *harness.Front
	udp    string // where clients reach it
}

// newFar runs both until the test ends.
func newFar(t *testing.T) *far {
	t.Helper()
	f := &far{t: t, server: harness.New(t), front: harness.NewFront(t)}
	files := f.server.ControlFiles()
	files.Listen = "127.0.0.1:0"
	f.front.Toward(f.run(files))
	files.Listen, files.URL = "", "tls://127.0.0.1:"+f.front.Port()
	f.server.Config.TURN.Control = files
	f.server.Run()
	t.Cleanup(f.server.Stop)
	harness.Await(t, func() bool { return !f.front.Began().IsZero() }, func() string { return "the server does not reach the TURN process" })
	return f
}

// run runs the TURN process and returns where it is controlled.
func (f *far) run(files control.Remote) (control string) {
	f.t.Helper()
	own := config.Default().TURN.Own
	own.RelayIP, own.Control = []string{"127.0.0.1"}, files
	core, logs := observer.New(zap.InfoLevel)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- turn.Alone{Config: own, Listen: []string{"127.0.0.1:0"}}.Run(ctx, zap.New(core), prometheus.NewRegistry())
	}()
	f.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			f.t.Errorf("the TURN process ended with %v", err)
		}
	})
	return f.listening(logs)
}

// listening waits until the TURN process has said where it is reached.
func (f *far) listening(logs *observer.ObservedLogs) (control string) {
	f.t.Helper()
	harness.Await(f.t, func() bool {
		for _, line := range logs.FilterMessage("listening").All() {
			name, addr, _ := strings.Cut(line.ContextMap()["listener"].(string), "=")
			switch name {
			case "turn udp":
				f.udp = addr
			case "turn.control":
				control = addr
			}
		}
		return f.udp != "" && control != ""
	}, func() string { return "the TURN process does not listen" })
	return control
}

// join is a client of one side.
func (f *far) join(side client.TURNCredentials) *turntest.Client {
	f.t.Helper()
	c, err := turntest.Dial("udp", f.udp)
	must(f.t, err)
	f.t.Cleanup(func() { _ = c.Close() })
	return c.As(side.Username, side.Credential)
}

// TestEndWhileTURNIsAway: a session that is ended while the connection to the TURN server on another host is cut relays on there, until the connection is back: within a second
// of that it is silent, and its credentials are refused. Other sessions go on.
func TestEndWhileTURNIsAway(t *testing.T) {
	f := newFar(t)
	made, other := open(t, f.server, client.NewTURNSession{TTL: 600}), open(t, f.server, client.NewTURNSession{TTL: 600})
	a, b, witness := f.join(made.Sides.A), f.join(made.Sides.B), f.join(other.Sides.A)
	relayedA, err := a.Allocate()
	must(t, err)
	relayedB, err := b.Allocate()
	must(t, err)
	_, err = witness.Allocate()
	must(t, err)
	must(t, a.Permit(relayedB))
	must(t, b.Permit(relayedA))
	passes := func(text string) {
		t.Helper()
		must(t, a.Send(relayedB, []byte(text)))
		if d, err := b.Receive(); err != nil || string(d.Payload) != text {
			t.Fatalf("b received %q, %v, want %q", d.Payload, err, text)
		}
	}
	passes("before")
	f.front.Close()
	ended, err := api(t, f.server).EndTURNSession(t.Context(), made.ID)
	must(t, err)
	if ended.State != "ended" || ended.Reason != "requested" {
		t.Errorf("the record of a session that ended while the TURN process was away: %+v", ended)
	}
	passes("while it is away") // it was not told
	f.front.Open()
	harness.Await(t, func() bool { return turntest.Code(a.Refresh(600)) == wire.CodeUnauthenticated }, func() string { return "the session goes on" })
	if took := time.Since(f.front.Began()); took > time.Second {
		t.Errorf("the end took effect %v after the connection was back, want within a second", took)
	}
	must(t, a.Send(relayedB, []byte("after")))
	if d, err := b.Receive(); err == nil {
		t.Errorf("b received %q after the end", d.Payload)
	}
	for name, side := range map[string]client.TURNCredentials{"a": made.Sides.A, "b": made.Sides.B} {
		if _, err := f.join(side).Allocate(); turntest.Code(err) != wire.CodeUnauthenticated {
			t.Errorf("Allocate with the credentials of side %s: %v, want 401", name, err)
		}
	}
	must(t, witness.Refresh(600))
	if _, err := f.join(other.Sides.B).Allocate(); err != nil {
		t.Errorf("Allocate in a session that goes on: %v", err)
	}
}
