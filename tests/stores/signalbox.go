package stores

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/store"
	"signalbox/tests/beside"
)

const (
	fillers = 256  // callers that prepare
	atOnce  = 1000 // changes of state in one call, and in one transaction
)

// The queue's bound, as the server passes it with each push by default.
var bound = push.Queue{Count: push.Default().QueueCount, Bytes: push.Default().QueueBytes}

// signalbox is our store in this process, as the server runs it.
type signalbox struct {
	path    string
	payload []byte
	control *sql.DB // a second connection to the file, for what the store has no method for

	*store.Store
	cancel context.CancelFunc
	ended  chan error
}

func startSignalbox(ctx context.Context, dir string, endpoints int) (side, error) {
	path, err := store.Locate("", dir)
	if err != nil {
		return nil, err
	}
	s := &signalbox{path: path, payload: payload()}
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	if s.control, err = sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(60000)"); err != nil {
		return nil, errors.Join(err, s.close())
	}
	if err := s.createEndpoints(ctx, endpoints); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

func (s *signalbox) open(ctx context.Context) error {
	st, err := store.Open(ctx, s.path, store.Default(), zap.NewNop(), nil)
	if err != nil {
		return err
	}
	s.Store = st
	running, cancel := context.WithCancel(ctx)
	s.cancel, s.ended = cancel, make(chan error, 1)
	go func() { s.ended <- s.Run(running) }() // close stops it and waits for it
	return nil
}

// close may be called again.
func (s *signalbox) close() error {
	if s.cancel == nil {
		return nil
	}
	s.cancel()
	s.cancel = nil
	return errors.Join(<-s.ended, s.Store.Close())
}

func (s *signalbox) stop() error { return errors.Join(s.control.Close(), s.close()) }

func (s *signalbox) createEndpoints(ctx context.Context, n int) error {
	_, secret, err := endpoint.GenerateSecret()
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(fillers)
	for i := range n {
		g.Go(func() error {
			return s.CreateEndpoint(ctx, endpoint.Endpoint{Key: key(i), Enabled: true, Created: time.Now()}, secret)
		})
	}
	return g.Wait()
}

func key(n int) endpoint.Key { return endpoint.Key{Domain: domain, ID: subject(n)} }

func (s *signalbox) push(ctx context.Context, to int) (delivery, error) {
	p := push.Push{To: key(to), Type: pushType, Payload: s.payload, TTL: ttl, Priority: push.Normal, Ack: push.AckDelivered}
	status, err := s.AcceptPush(ctx, push.Submission{Push: p, Queue: bound})
	return delivery{int64(status.ID), to}, err
}

func (s *signalbox) acknowledge(ctx context.Context, d delivery) error {
	return s.advance(ctx, []delivery{d}, push.Delivered)
}

func (s *signalbox) waiting(ctx context.Context, to int) (int, error) {
	found, err := s.WaitingPushes(ctx, key(to), push.Cursor{}, readLimit)
	return len(found), err
}

func (s *signalbox) fill(ctx context.Context, to []int) ([]delivery, error) {
	all := make([]delivery, len(to))
	_, err := load{callers: fillers, count: len(to), do: func(ctx context.Context, i int) (err error) {
		all[i], err = s.push(ctx, to[i])
		return err
	}}.run(ctx, s)
	return all, err
}

func (s *signalbox) advance(ctx context.Context, ds []delivery, state push.State) error {
	return batches(ds, atOnce, func(ds []delivery) error {
		now := time.Now()
		changes := make([]push.Transition, len(ds))
		for i, d := range ds {
			changes[i] = push.Transition{ID: push.ID(d.id), Key: key(d.to), To: state, At: now}
		}
		done := make(chan error, 1)
		s.AdvancePushes(changes, func(out []push.Outcome, err error) {
			for i := range out {
				if !out[i].Applied {
					err = errors.Join(err, fmt.Errorf("%s did not become %s", changes[i].ID, state))
				}
			}
			done <- err
		})
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// settle has nothing to do: SQLite copies its log into the file while it is written.
func (s *signalbox) settle(context.Context) error { return nil }

// server is 0: all of it runs in this process.
func (s *signalbox) server() (time.Duration, error) { return 0, nil }

func (s *signalbox) count(ctx context.Context) (pushes, events int, err error) {
	err = s.control.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM push), (SELECT count(*) FROM outbox WHERE kind < 9)").Scan(&pushes, &events)
	return pushes, events, err
}

// size is that of the file once its log is copied into it.
func (s *signalbox) size(ctx context.Context) (int64, error) {
	var busy, pages, copied int
	if err := s.control.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &copied); err != nil {
		return 0, err
	}
	if busy != 0 {
		return 0, errors.New("the log cannot be copied: somebody reads")
	}
	info, err := os.Stat(filepath.Clean(s.path))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// forget makes everything a month older and lets the store's own retention delete it, which it does when it starts.
func (s *signalbox) forget(ctx context.Context) error {
	if err := s.close(); err != nil {
		return err
	}
	month := (30 * 24 * time.Hour).Microseconds()
	for _, change := range []string{
		"UPDATE push SET created = created - ?1, expires = expires - ?1, ended = ended - ?1 WHERE place = 4",
		"UPDATE outbox SET at = at - ?1",
	} {
		if _, err := s.control.ExecContext(ctx, change, month); err != nil {
			return errors.Join(err, s.open(ctx))
		}
	}
	if err := s.open(ctx); err != nil {
		return err
	}
	for left := true; left; { // events are deleted last
		if err := beside.Pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
		if err := s.control.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM outbox)").Scan(&left); err != nil {
			return err
		}
	}
	return nil
}
