// Package store keeps durable state in a database: endpoints, pushes, API tokens and the outbox of events, written by one group committer.
package store

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"signalbox/internal/access"
	"signalbox/internal/endpoint"
	"signalbox/internal/events"
	"signalbox/internal/events/webhook"
	"signalbox/internal/push"
	"signalbox/internal/store/failure"
)

// Store is durable state. All methods may be called concurrently. Reads work from Open to Close; writes wait until Run runs, and end with ErrClosed after it.
type Store struct {
	cfg       Config
	log       *zap.Logger
	db        *sqliteDB
	reader    *reader
	queue     *queue
	answers   *answerer
	committer *committer
	metrics   *metrics
	deletions []func(endpoint.Key) // told of every endpoint that is deleted
}

var (
	_ endpoint.Store = (*Store)(nil)
	_ push.Store     = (*Store)(nil)
	_ access.Store   = (*Store)(nil)
	_ webhook.Store  = (*Store)(nil)
	_ events.Store   = (*Store)(nil)
)

// Open opens the database file at path, which Locate returns, creates it with its directory if need be and brings its schema up to date. It starts nothing: call
// Run to write, and Close at the end. A nil reg keeps the metrics private.
func Open(ctx context.Context, path string, cfg Config, log *zap.Logger, reg prometheus.Registerer) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configuration of the store: %w", err)
	}
	s := &Store{cfg: cfg, log: log.Named("store"), queue: newQueue(cfg.Queue, cfg.Marks), answers: newAnswerer()}
	var err error
	if s.db, err = openSQLite(ctx, path); err != nil {
		return nil, err
	}
	if s.metrics, err = newMetrics(reg, s.queue); err != nil {
		return nil, errors.Join(err, s.db.close())
	}
	if reg != nil {
		if err := reg.Register(space{path}); err != nil {
			return nil, errors.Join(fmt.Errorf("register metrics of the store: %w", err), s.db.close())
		}
	}
	s.reader = s.db.reader
	s.committer = &committer{
		queue: s.queue, answers: s.answers, writer: s.db.writer, maxBatch: cfg.Batch, metrics: s.metrics, log: s.log,
	}
	return s, nil
}

// Run writes what is queued and deletes what is old until ctx is done. It returns when everything queued before that is durable or refused, and everybody who
// asked to be called back has been called. It is called once.
func (s *Store) Run(ctx context.Context) error {
	var workers, answering sync.WaitGroup
	answering.Go(s.answers.run)
	workers.Go(func() { s.retain(ctx) })
	workers.Go(func() { s.committer.run(ctx) })
	workers.Wait()
	s.answers.close()
	answering.Wait()
	return nil
}

// Close closes the database. Run must have returned, if it was called.
func (s *Store) Close() error {
	s.queue.close()
	// After Run there is nothing left; without it somebody may wait in vain.
	for batch := s.queue.take(s.cfg.Batch); len(batch) > 0; batch = s.queue.take(s.cfg.Batch) {
		for _, e := range batch {
			s.committer.answer(e, ErrClosed)
		}
	}
	s.answers.close()
	s.answers.run()
	if err := s.db.close(); err != nil {
		return fmt.Errorf("close the database: %w", err)
	}
	return nil
}

// Ready returns why state cannot be written at the moment, or nil. It costs nothing: the committer tries the disk again by itself after a failure.
func (s *Store) Ready(context.Context) error {
	if s.queue.stalled() {
		return failure.ErrStalled
	}
	if err := s.committer.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// outcome queues step, waits until it is durable and returns what it found. One of results may be its error; other errors undo its transaction. If ctx ends, step may
// still run, also while its caller goes on: it changes nothing of its caller's.
func outcome[T any](ctx context.Context, s *Store, step func(t *tx) (T, error), results ...error) (T, error) {
	var found T
	op := &try{results: results, step: func(t *tx) (err error) {
		found, err = step(t)
		return err
	}}
	if err := s.do(ctx, op); err != nil {
		var none T // found belongs to the writer yet
		return none, err
	}
	return found, op.result
}

// try is outcome for a step that finds nothing.
func (s *Store) try(ctx context.Context, step func(t *tx) error, results ...error) error {
	op := &try{step: step, results: results}
	if err := s.do(ctx, op); err != nil {
		return err
	}
	return op.result
}

// await queues op, waits until it is durable and calls after, if it is. The answerer calls, in the order of the commits, also when ctx has ended meanwhile.
func (s *Store) await(ctx context.Context, op operation, after func()) error {
	answer := make(chan error, 1)
	s.put(&entry{op: op, size: 1, call: func(err error) {
		if err == nil {
			after()
		}
		answer <- err
	}})
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// put queues an entry. Whoever asked to be called back hears of it if that is not possible; a mark is dropped and counted.
func (s *Store) put(e *entry) {
	err := s.queue.put(e)
	switch {
	case err == nil:
	case e.call == nil:
		s.committer.drop([]*entry{e})
	case !s.answers.post(func() { e.call(err) }):
		e.call(err)
	}
}

// do queues op and waits until it is durable.
func (s *Store) do(ctx context.Context, op operation) error { return s.doSized(ctx, op, 1) }

// doSized is do for an operation that changes about so many rows.
func (s *Store) doSized(ctx context.Context, op operation, size int) error {
	e := &entry{op: op, size: size, ctx: ctx, done: make(chan error, 1)}
	if err := s.queue.put(e); err != nil {
		return err
	}
	select {
	case err := <-e.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
