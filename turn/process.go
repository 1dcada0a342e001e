package turn

import (
	"context"
	"errors"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"signalbox/turn/control"
)

// ErrConfig marks what the operator has to change before a TURN server can start.
var ErrConfig = errors.New("the configuration of the TURN server cannot be used")

// Supervised is the TURN process as serve starts it, with what it inherits. It ends when the control connection does, so that no orphan holds the sockets, or when
// ctx is done. It serves clients once it knows the sessions that are open: after a restart nobody is refused who has one.
func Supervised(ctx context.Context, in *control.Inherited, log *zap.Logger, reg *prometheus.Registry) error {
	s, err := New(in.Settings, log, reg)
	if err != nil {
		return errors.Join(err, in.Close())
	}
	server := control.NewServer(s, reg, in.Settings.Sockets, log)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var parts errgroup.Group
	parts.Go(func() error {
		defer cancel()
		return server.Serve(ctx, in.Control)
	})
	parts.Go(func() error {
		defer cancel()
		select {
		case <-s.sessionsTold:
		case <-ctx.Done():
		}
		return s.runAlone(ctx, Sockets{UDP: in.UDP, TCP: in.TCP, Streams: in.Streams})
	})
	return parts.Wait()
}

// runAlone is Run in a process that does nothing else: there each goroutine that waits for packets by a blocking call of its own (turn/batch) gets a place beside those
// that the runtime counts on. Without it the runtime's monitor takes the place away 20 us into every wait and gives it back behind it, which costs more than a packet does.
func (s *Server) runAlone(ctx context.Context, in Sockets) error {
	const relays = 1 // one waits for all relay sockets
	usual := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(usual + len(in.UDP) + relays)
	defer runtime.GOMAXPROCS(usual)
	return s.Run(ctx, in)
}
