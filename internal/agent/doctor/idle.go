package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"signalbox/internal/agent"
	"signalbox/internal/agent/ladder"
	"signalbox/internal/agent/login"
	"signalbox/internal/agent/path"
)

// Bounds of silence.
const (
	MostIdle  = 65 * time.Second // the server asks for a sign of life after 70 s, unless it is configured otherwise
	leastIdle = 10 * time.Second // an agent asks no more often than that by itself
	farewell  = 10 * time.Second // for the server's answer to the end of the stream
)

// idle says nothing for a while in a session on the first way that leads to the server, and sees whether something on the way cuts it.
func (x *examination) idle(ctx context.Context, l login.Login, ways *path.Finder, trials []trial) {
	const check = "a silent connection"
	if s, err := agent.ReadStatus(x.Config.StateDir); err == nil && s.Running {
		x.warn(string(ladder.Presence), check, "not tried: the agent runs, and would lose its session to it", "see signalbox-agent status, where the agent says what it has learned; or stop it and ask again")
		return
	}
	for _, t := range trials {
		if t.failure != nil {
			continue
		}
		took, err := x.hold(ctx, l, ways, t.route)
		x.judgeIdle(t.route, took, err)
		return
	}
}

func (x *examination) judgeIdle(r path.Route, took time.Duration, err error) {
	reason := ladder.IdleCut
	if !r.Proxy.IsZero() {
		reason = ladder.ProxyCutsIdle
	}
	detail := fmt.Sprintf("%s was cut after %v of silence", r, took.Round(time.Second/10))
	switch f := ladder.Of(err); {
	case err == nil:
		x.well(string(ladder.Presence), r.String(), fmt.Sprintf("outlives %v of silence", x.Idle))
	case errors.Is(err, errSpoken):
		x.well(string(ladder.Presence), r.String(), fmt.Sprintf("outlives %v of silence, after which the server spoke", took.Round(time.Second)))
	case f != nil:
		x.failed(r.String(), f, false)
	case took < leastIdle:
		reason.Action = "Have what is on the way keep silent connections for a minute at least, or set keepalive below that time: by itself the agent asks every 10 s at most."
		x.failed(r.String(), ladder.New(reason, detail, nil), false)
	default:
		x.failed(r.String(), ladder.New(reason, detail, nil), true)
	}
}

// hold binds a session on a way and says nothing for as long as was asked for; then the server must still answer. Errors before the silence are of the ladder.
func (x *examination) hold(ctx context.Context, l login.Login, ways *path.Finder, r path.Route) (took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, wayTimeout+x.Idle)
	defer cancel()
	conn, err := ways.Open(ctx, r, nil)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	s, err := l.Negotiate(ctx, conn, r.Direct, nil, nil)
	if err != nil {
		return 0, err
	}
	defer context.AfterFunc(ctx, func() { _ = s.Conn.SetDeadline(time.Unix(1, 0)) })()
	start := time.Now()
	err = silence(s.Conn, x.Idle)
	if took = time.Since(start); err == nil {
		err = bye(s.Conn)
	}
	return took, err
}

var errSpoken = errors.New("the server spoke")

// silence waits for d while nothing is to come; nil: nothing did.
func silence(conn net.Conn, d time.Duration) error {
	if err := conn.SetReadDeadline(time.Now().Add(d)); err != nil {
		return err
	}
	n, err := conn.Read(make([]byte, 1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case n > 0:
		return errSpoken
	}
	return err
}

// bye ends the stream; nil: the server answered.
func bye(conn net.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(farewell)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "</stream:stream>"); err != nil {
		return err
	}
	_, err := conn.Read(make([]byte, 1))
	return err
}
