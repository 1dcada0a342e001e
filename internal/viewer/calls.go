package viewer

import (
	"context"
	"errors"
	"slices"
	"time"

	"signalbox/internal/signalling"
)

// Pauses between two calls while the server is not reached.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
	callWithin = 15 * time.Second
)

// reconnecting is the state of a session a party of which is away: what is said to it is lost.
const reconnecting = "reconnecting"

// errNoLine is why nothing can be said.
var errNoLine = errors.New("the server is not reached at present")

// call opens a line after a pause.
func (v *Viewer) call(a signalling.Attach, pause time.Duration) {
	v.work.Go(func() {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-v.life.Done():
			return
		}
		ctx, cancel := context.WithTimeout(v.life, callWithin)
		defer cancel()
		l, err := v.cfg.Call(ctx, a)
		if v.do(v.life, func() { v.called(l, err) }) != nil && l != nil {
			_ = l.Close() // nobody waits for it
		}
	})
}

// called takes what came of a call.
func (v *Viewer) called(l Line, err error) {
	if err != nil {
		v.hungUp(err)
		return
	}
	v.line = l
	v.work.Go(func() {
		for {
			m, err := l.Receive(v.life)
			if err != nil {
				_ = v.do(v.life, func() { v.lineLost(l, err) }) // or it is over
				return
			}
			if v.do(v.life, func() { v.take(l, m) }) != nil {
				return
			}
		}
	})
}

// lineLost notes the end of a line.
func (v *Viewer) lineLost(l Line, err error) {
	if v.line != l {
		return
	}
	v.line = nil
	_ = l.Close() // it has ended
	v.hungUp(err)
}

// hungUp calls again, if there is a way to come back and time for that.
func (v *Viewer) hungUp(err error) {
	var refused *RefusedError
	switch now := time.Now(); {
	case errors.As(err, &refused) || v.secret == "":
		v.finish(err)
		return
	case v.lost.IsZero():
		v.lost, v.pause = now, firstPause
	case now.Sub(v.lost)+v.pause >= signalling.ReturnWithin:
		v.finish(ErrLost)
		return
	default:
		v.pause = min(2*v.pause, lastPause)
	}
	v.call(signalling.Attach{About: v.about(), Reattach: v.secret}, v.pause)
}

// say tells the server something.
func (v *Viewer) say(m signalling.Message) error {
	if v.line == nil {
		return errNoLine
	}
	ctx, cancel := context.WithTimeout(v.life, sayWithin)
	defer cancel()
	err := v.line.Send(ctx, m)
	var unfit *signalling.Error
	if err != nil && !errors.As(err, &unfit) {
		v.lineLost(v.line, err)
	}
	return err
}

// take handles a message of the server.
func (v *Viewer) take(l Line, m signalling.Message) {
	if v.line != l || m.SessionID() != v.cfg.Session {
		return
	}
	switch m := m.(type) {
	case signalling.State:
		v.stated(m)
	case signalling.Accept:
		v.dropPeer() // an endpoint that accepts anew knows nothing of an earlier one
		v.accepted = true
		v.advance()
	case signalling.ICE:
		v.servers = slices.Clone(m.Servers)
	case signalling.SDP:
		v.answered(m)
	case signalling.Candidate:
		v.candidate(m)
	case signalling.Relay:
		v.joined(m)
	case signalling.Restarted:
		v.restarted()
	case signalling.Deny:
		v.finish(&EndedError{Reason: m.Reason, Detail: m.Detail})
	case signalling.End:
		v.finish(&EndedError{Reason: m.Reason, Detail: m.Detail})
	}
}

// stated takes the state of the session. That which answers a call has what is needed to come back.
func (v *Viewer) stated(m signalling.State) {
	back := m.Reattach != "" || v.state.State == reconnecting && m.State != reconnecting
	if m.Reattach != "" {
		if !v.lost.IsZero() {
			v.dropLower() // what lost the server has lost the relay, and nobody knows when TCP finds that out
		}
		v.secret, v.lost = m.Reattach, time.Time{}
	}
	if len(m.Servers) > 0 {
		v.servers = slices.Clone(m.Servers)
	}
	v.way.number = max(v.way.number, m.Peer) // that of another program, whose place this one takes
	m.Reattach, m.Servers = "", nil
	first := v.state.ID == ""
	v.state = m
	v.mu.Lock()
	v.shown = m
	v.mu.Unlock()
	if first {
		close(v.attached)
	}
	if v.cfg.OnState != nil {
		v.cfg.OnState(m)
	}
	switch m.State {
	case "ended":
		v.finish(&EndedError{Reason: m.Reason, Detail: m.Detail})
		return
	case "connecting", "active", reconnecting:
		v.accepted = true
	}
	if back {
		v.backAgain()
	}
	v.advance()
}
