package turn

import (
	"errors"
	"net"
	"time"

	"signalbox/internal/telemetry"
)

// acceptRest is the pause after a failed accept: descriptors come back as connections close.
const acceptRest = 5 * time.Millisecond

// acceptTold is how often a failing listener says so.
const acceptTold = time.Minute

// accept hands connections to serve, each on a goroutine of its own, until the listener is closed. No error but that ends it: one listener serves all clients.
func (s *Server) accept(ln net.Listener, serve func(net.Conn)) {
	var told time.Time
	for {
		c, err := ln.Accept()
		switch {
		case err == nil:
			s.streams.Go(func() { serve(c) })
			continue
		case errors.Is(err, net.ErrClosed):
			return
		}
		s.metrics.acceptErrors.Inc()
		if time.Since(told) >= acceptTold {
			told = time.Now()
			s.log.Error("cannot accept connections for the moment", telemetry.Listener("turn", ln.Addr().String()), telemetry.Cause(err))
		}
		select {
		case <-s.stopping:
			return
		case <-time.After(acceptRest):
		}
	}
}
