package viewer

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"signalbox/internal/channel"
	"signalbox/internal/signalling"
)

// lateLine is a Line that is only closed.
type lateLine struct {
	Line
	closed atomic.Bool
}

func (l *lateLine) Close() error {
	l.closed.Store(true)
	return nil
}

// A line that comes when the viewer has just ended is closed, each time.
func TestLateLineIsClosed(t *testing.T) {
	for range 50 {
		ctx, stop := context.WithCancel(t.Context())
		var l lateLine
		v := New(Config{Session: session, Token: "t0ken", Call: func(life context.Context, _ signalling.Attach) (Line, error) {
			stop()
			<-life.Done()
			return &l, nil
		}})
		must(t, v.Run(ctx))
		if !l.closed.Load() {
			t.Fatal("the line is left open")
		}
	}
}

// lateTransport gives out what the server answers when the request is no longer wanted.
type lateTransport struct {
	http.RoundTripper
	answered chan struct{} // has something for each answer
	open     atomic.Int32  // connections
}

func (l *lateTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := l.RoundTripper.RoundTrip(r.WithContext(context.WithoutCancel(r.Context())))
	if err != nil {
		return nil, err
	}
	l.open.Add(1)
	answer.Body = &lateBody{answer.Body.(io.ReadWriteCloser), sync.OnceFunc(func() { l.open.Add(-1) })}
	l.answered <- struct{}{}
	<-r.Context().Done()
	return answer, nil
}

// lateBody is the connection of a WebSocket.
type lateBody struct {
	io.ReadWriteCloser
	closed func()
}

func (b *lateBody) Close() error {
	b.closed()
	return b.ReadWriteCloser.Close()
}

// Connections to the relay that are there when the viewer has just ended are closed, all of them.
func TestLateRelayIsClosed(t *testing.T) {
	const channels = 15
	w := newWorld(t, signalling.TransportRelayOnly)
	late := &lateTransport{RoundTripper: w.tls.Client().Transport, answered: make(chan struct{})}
	v, ended := w.run(func(c *Config) { c.HTTP = &http.Client{Transport: late} })
	w.offer()
	var opening sync.WaitGroup
	for range channels {
		opening.Go(func() {
			if _, err := v.Open(t.Context(), channel.Files); !errors.Is(err, errOver) {
				t.Errorf("Open = %v", err)
			}
		})
	}
	for range channels {
		<-late.answered
	}
	v.within(t, func() { v.finish(ErrLost) })
	if err := <-ended; !errors.Is(err, ErrLost) {
		t.Errorf("Run = %v", err)
	}
	opening.Wait()
	if n := late.open.Load(); n != 0 {
		t.Errorf("%d of %d connections are left open", n, channels)
	}
}

// lateChannel is a channel that is only closed.
type lateChannel struct {
	channel.Conn
	closed atomic.Bool
}

func (c *lateChannel) Close() error {
	c.closed.Store(true)
	return nil
}

// A channel that comes when nobody waits for it any more is closed, though it is the last that the viewer does.
func TestUnwantedChannelIsClosed(t *testing.T) {
	w := newWorld(t, signalling.TransportAuto)
	v, ended := w.run()
	ctx, cancel := context.WithCancel(t.Context())
	given := make(chan error, 1)
	go func() {
		_, err := v.Open(ctx, channel.Files)
		given <- err
	}()
	await(t, "nobody waits for a channel", func() (waits bool) {
		v.within(t, func() { waits = len(v.waiting) == 1 })
		return waits
	})
	var c lateChannel
	v.within(t, func() {
		o := v.waiting[0]
		cancel()
		if err := <-given; !errors.Is(err, context.Canceled) {
			t.Errorf("Open = %v", err)
		}
		v.deliver(o, &c, nil)
		v.finish(ErrLost)
	})
	if err := <-ended; !errors.Is(err, ErrLost) {
		t.Errorf("Run = %v", err)
	}
	if !c.closed.Load() {
		t.Error("the channel is left open")
	}
}
