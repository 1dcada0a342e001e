package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/link"
	"signalbox/internal/telemetry"
)

// Bounds of handing streams on.
const (
	maxWaiting   = 1024                 // streams that wait for a TURN process that is away
	maxWait      = 5 * time.Second      // and how long
	burstBytes   = 16 << 10             // of a buffer, which a stream has only while bytes flow: what one TLS record holds
	lull         = time.Second          // without a byte, after which a stream gives its buffer back
	rest         = 2 * time.Millisecond // for what follows the first bytes
	writePatient = 30 * time.Second
)

// gate lets as many in as it has room for.
type gate chan struct{}

func (g gate) enter() bool {
	select {
	case g <- struct{}{}:
		return true
	default:
		return false
	}
}

func (g gate) leave() { <-g }

var errBusy = errors.New("too many wait for the TURN process")

// ServeConn implements link.Handler: it hands a connection with TURN bytes on to the TURN process, behind a header with the client's address, until either end
// closes it or ctx ends.
func (c *Client) ServeConn(ctx context.Context, client net.Conn, info link.Info) {
	defer client.Close()
	there, err := c.reach(ctx)
	if err == nil {
		defer there.Close()
		err = writeHeader(there, info.Local, info.Remote)
	}
	c.metrics.streams.WithLabelValues(outcome(err)).Inc()
	if err != nil {
		if e := c.log.Check(zap.DebugLevel, "a TURN client was sent away"); e != nil {
			e.Write(telemetry.Remote(info.Remote), telemetry.Cause(err))
		}
		return
	}
	c.metrics.carried.Inc()
	defer c.metrics.carried.Dec()
	join(ctx, client, there)
}

func outcome(err error) string {
	switch {
	case err == nil:
		return streamCarried
	case errors.Is(err, errBusy):
		return streamBusy
	case errors.Is(err, ErrAway):
		return streamAway
	}
	return streamFailed
}

// reach connects to the TURN process, and waits a while for one that is just away.
func (c *Client) reach(ctx context.Context) (net.Conn, error) {
	if c.present() == nil {
		if !c.waiting.enter() {
			return nil, errBusy
		}
		defer c.waiting.leave()
		waiting, cancel := context.WithTimeout(ctx, maxWait)
		defer cancel()
		if _, err := c.await(waiting); err != nil {
			return nil, err
		}
	}
	return c.way.stream(ctx)
}

// join copies both ways until one way ends, or ctx.
func join(ctx context.Context, a, b net.Conn) {
	cut := func() {
		_ = a.Close() // each way ends with an error then,
		_ = b.Close() // and nobody is left to be told of one
	}
	unwatch := context.AfterFunc(ctx, cut)
	defer unwatch()
	var back sync.WaitGroup
	back.Go(func() {
		defer cut()
		copyAll(a, b)
	})
	copyAll(b, a)
	cut()
	back.Wait()
}

// bursts are the buffers of streams on which bytes flow.
var bursts = sync.Pool{New: func() any { return new([burstBytes]byte) }}

// firstBytes is the buffer of a stream on which nothing comes.
const firstBytes = 64

// copyAll copies until from ends or one of both fails. While nothing comes it holds no buffer but a small one.
func copyAll(to, from net.Conn) {
	var first [firstBytes]byte
	for {
		n, err := from.Read(first[:])
		if n > 0 {
			if errBurst := copyBurst(to, from, first[:n]); errBurst != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// copyBurst copies what came first and what follows it, until nothing comes for a while.
func copyBurst(to, from net.Conn, first []byte) error {
	buf := bursts.Get().(*[burstBytes]byte)
	defer bursts.Put(buf)
	n := copy(buf[:], first)
	if n == firstBytes {
		n += readRest(from, buf[n:])
	}
	if err := allow(to, from); err != nil {
		return err
	}
	_, err := to.Write(buf[:n])
	for quiet := false; err == nil; {
		var n int
		n, err = from.Read(buf[:])
		if n > 0 {
			quiet = false
			if _, errWrite := to.Write(buf[:n]); errWrite != nil {
				return errWrite
			}
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if quiet {
				return from.SetReadDeadline(time.Time{})
			}
			quiet, err = true, allow(to, from)
		}
	}
	return fmt.Errorf("copy: %w", err)
}

// readRest reads what follows the first bytes if it is there: a frame that goes on in two parts costs two TLS records, and some clients take a record for a frame.
// An error comes again with the next read.
func readRest(from net.Conn, buf []byte) int {
	if from.SetReadDeadline(time.Now().Add(rest)) != nil {
		return 0
	}
	n, _ := from.Read(buf)
	return n
}

// allow sets the deadlines of a burst. They are not renewed with each packet, but when the first is over.
func allow(to, from net.Conn) error {
	now := time.Now()
	return errors.Join(from.SetReadDeadline(now.Add(lull)), to.SetWriteDeadline(now.Add(lull+writePatient)))
}
