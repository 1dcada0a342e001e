// Package channeltest has channels in memory, for tests.
package channeltest

import (
	"context"
	"errors"
	"io"
	"sync"

	"signalbox/internal/channel"
)

// ErrLost is what both ends of a channel return after Cut.
var ErrLost = errors.New("the way is lost")

// queued is how many messages wait in each direction before Send waits.
const queued = 16

// End is one end of a channel in memory. It implements channel.Conn.
type End struct {
	// Tamper is called with each message before it is sent, and may change its data; nil: it is not. It is set before the channel is used.
	Tamper func(m channel.Message)
	// Arrived is called with each message that Receive returns, before it does; nil: it is not. It is set before the channel is used.
	Arrived func(m channel.Message)

	in, out *way
	lost    *signal // of both ends
	last    []byte  // what Receive has returned
}

// way is one direction.
type way struct {
	queue chan channel.Message
	free  chan []byte // used again
	shut  *signal     // the sender has closed
}

func newWay() *way {
	return &way{queue: make(chan channel.Message, queued), free: make(chan []byte, queued+2), shut: newSignal()}
}

// signal is something that happens once.
type signal struct {
	once sync.Once
	c    chan struct{}
}

func newSignal() *signal { return &signal{c: make(chan struct{})} }

func (s *signal) give() { s.once.Do(func() { close(s.c) }) }

// Pipe returns both ends of a channel.
func Pipe() (*End, *End) {
	a, b, lost := newWay(), newWay(), newSignal()
	return &End{in: a, out: b, lost: lost}, &End{in: b, out: a, lost: lost}
}

// Cut loses the way: both ends fail at once, and what was on its way is gone.
func (e *End) Cut() { e.lost.give() }

// Receive implements channel.Conn.
func (e *End) Receive(ctx context.Context) (channel.Message, error) {
	if e.last != nil {
		select {
		case e.in.free <- e.last:
		default: // several send at a time
		}
		e.last = nil
	}
	if e.isLost() {
		return channel.Message{}, ErrLost
	}
	select {
	case m := <-e.in.queue:
		return e.take(m), nil
	case <-e.lost.c:
		return channel.Message{}, ErrLost
	case <-ctx.Done():
		return channel.Message{}, context.Cause(ctx)
	case <-e.out.shut.c: // closed here
		return channel.Message{}, ErrLost
	case <-e.in.shut.c:
	}
	select {
	case m := <-e.in.queue: // sent before the end
		return e.take(m), nil
	default:
		return channel.Message{}, io.EOF
	}
}

func (e *End) take(m channel.Message) channel.Message {
	e.last = m.Data
	if e.Arrived != nil {
		e.Arrived(m)
	}
	return m
}

func (e *End) isLost() bool {
	select {
	case <-e.lost.c:
		return true
	default:
		return false
	}
}

// Send implements channel.Conn.
func (e *End) Send(ctx context.Context, m channel.Message) error {
	if len(m.Data) > channel.MaxMessage {
		return errors.New("a message that is too large")
	}
	var buf []byte
	select {
	case buf = <-e.out.free:
	default:
		buf = make([]byte, 0, channel.MaxMessage)
	}
	m.Data = append(buf[:0], m.Data...)
	if e.Tamper != nil {
		e.Tamper(m)
	}
	if e.isLost() {
		return ErrLost
	}
	select {
	case e.out.queue <- m:
		return nil
	case <-e.lost.c:
		return ErrLost
	case <-e.out.shut.c:
		return ErrLost
	case <-e.in.shut.c: // nobody reads any more
		return ErrLost
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close implements channel.Conn.
func (e *End) Close() error {
	e.out.shut.give()
	return nil
}
