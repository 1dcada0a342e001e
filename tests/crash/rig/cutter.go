package rig

import (
	"context"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Cutter passes connections on to a server and ends every one of them at a random byte, in one of the ways in which networks do.
type Cutter struct {
	target string
	in     net.Listener
	cuts   [ways]atomic.Int64
	calm   atomic.Bool
	ended  sync.WaitGroup
}

// The ways to end a connection.
const (
	wayReset  = iota // both ends hear of it at once
	wayClose         // both ends read to the end of what came
	waySilent        // the endpoint gives up, the server hears nothing for a while
	wayDeaf          // what the endpoint says is swallowed for a while, then all ends
	ways
)

const (
	loginBytes = 6 << 10  // about what a login takes, both directions together
	mostBytes  = 16 << 10 // of a connection that is cut after its login
	mostSilent = 2 * time.Second
	mostDeaf   = 50 * time.Millisecond
)

// NewCutter listens on loopback until ctx ends; Wait waits for all that it started.
func NewCutter(ctx context.Context, target string) (*Cutter, error) {
	in, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &Cutter{target: target, in: in}
	context.AfterFunc(ctx, func() { _ = in.Close() })
	c.ended.Go(func() {
		for {
			near, err := in.Accept()
			if err != nil {
				return
			}
			c.ended.Go(func() { c.pass(ctx, near) })
		}
	})
	return c, nil
}

// Addr is where endpoints connect.
func (c *Cutter) Addr() string { return c.in.Addr().String() }

// Calm lets connections that come from now on live.
func (c *Cutter) Calm() { c.calm.Store(true) }

// Wait waits until everything has ended after the end of the context.
func (c *Cutter) Wait() { c.ended.Wait() }

// Cuts returns how many connections were cut, in all and by way: reset, closed, silent for the server, deaf to the endpoint.
func (c *Cutter) Cuts() (all int, by [ways]int) {
	for i := range c.cuts {
		by[i] = int(c.cuts[i].Load())
		all += by[i]
	}
	return all, by
}

// cut is one connection that will be cut.
type cut struct {
	near, far net.Conn
	way       int
	left      atomic.Int64  // bytes until then, of both directions
	reached   chan struct{} // closed then
	once      sync.Once
}

func (c *Cutter) pass(ctx context.Context, near net.Conn) {
	far, err := net.Dial("tcp", c.target)
	if err != nil {
		_ = near.Close()
		return
	}
	x := &cut{near: near, far: far, way: rand.N(ways), reached: make(chan struct{})}
	// A third during the login.
	x.left.Store(loginBytes + rand.Int64N(mostBytes))
	if rand.N(3) == 0 {
		x.left.Store(rand.Int64N(loginBytes))
	}
	if c.calm.Load() {
		x.left.Store(math.MaxInt64)
	}
	var directions sync.WaitGroup
	directions.Go(func() { x.copy(far, near, true) })
	directions.Go(func() { x.copy(near, far, false) })
	over := make(chan struct{})
	go func() {
		directions.Wait()
		close(over)
	}()
	select {
	case <-x.reached:
		c.cuts[x.way].Add(1)
		x.end(ctx)
	case <-over: // by itself
	case <-ctx.Done():
	}
	_, _ = near.Close(), far.Close()
	<-over
}

// copy passes bytes in one direction until the connection is cut, or ends.
func (x *cut) copy(to, from net.Conn, fromEndpoint bool) {
	buf := make([]byte, 4<<10)
	for {
		n, err := from.Read(buf)
		if left := x.left.Add(-int64(n)); left <= 0 {
			n = max(0, min(n, n+int(left))) // the last ones that pass
			if n > 0 {
				_, _ = to.Write(buf[:n])
			}
			x.once.Do(func() { close(x.reached) })
			if fromEndpoint || x.way != wayDeaf {
				x.swallow(from)
				return
			}
			n = 0 // what the server says still passes
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	_, _ = to.Close(), from.Close()
}

// swallow reads what nobody will get, until the connection ends.
func (x *cut) swallow(from net.Conn) { _, _ = io.Copy(io.Discard, from) }

// end ends the connection in its way.
func (x *cut) end(ctx context.Context) {
	switch x.way {
	case wayReset:
		for _, c := range []net.Conn{x.near, x.far} {
			if tcp, ok := c.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
		}
	case waySilent:
		_ = x.near.Close()
		pause(ctx, rand.N(mostSilent))
	case wayDeaf:
		pause(ctx, rand.N(mostDeaf))
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
