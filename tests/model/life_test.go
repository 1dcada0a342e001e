package model

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	_ "modernc.org/sqlite" // takes the picture of the disk at a crash

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/store"
)

const (
	domain    = "model.test"
	endpoints = 3
	window    = 4
	longTTL   = 10 * time.Minute
	mostClock = 10
)

// life is one run of the server: it starts at a time of its own, which may be before the end of the last one, plays steps, and is killed or stopped.
type life struct {
	Clock int // up to mostClock minutes after the earliest start
	Steps []step
	Crash bool
	Tight bool // queues are short, and drop what is oldest
}

// epoch is when the earliest life begins, in the time of a synctest bubble, which begins in 2000: ids of pushes count from 2020.
const epoch = 27 * 366 * 24 * time.Hour

// server is the life of pushes and the real store, with sessions that the script opens.
type server struct {
	t     *testing.T
	world *world
	store *store.Store
	svc   *push.Service
	calls sync.WaitGroup // requests that are under way
	stop  func()

	mu       sync.Mutex
	dead     bool // killed: nothing that happens from here on reaches anybody
	sessions map[endpoint.Key]*session
}

type session struct {
	epoch     uint64
	available bool
	suspended bool
	queue     []sent // handed over, and not written to the connection yet
	wire      []sent // written, and not read by the endpoint yet: lost if the connection is
}

type sent struct {
	push    push.Push
	written func(time.Time)
}

// start opens the database at path and runs on it.
func start(t *testing.T, w *world, path string, tight bool) *server {
	t.Helper()
	s := &server{t: t, world: w, sessions: map[endpoint.Key]*session{}}
	var err error
	if s.store, err = store.Open(t.Context(), path, store.Default(), zap.NewNop(), nil); err != nil {
		t.Fatal(err)
	}
	cfg := push.Default()
	cfg.Window = window
	if tight {
		cfg.QueueCount, cfg.QueuePolicy = 2*window, push.DropOldest
	}
	if s.svc, err = push.New(cfg, s.store, s, zap.NewNop(), prometheus.NewRegistry()); err != nil {
		t.Fatal(err)
	}
	stopStore := running(t, s.store.Run)
	w.register(t, s.store)
	if err := s.svc.Recover(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	stopService := running(t, s.svc.Run)
	s.stop = func() {
		stopService()
		s.calls.Wait()
		stopStore()
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	}
	return s
}

// running runs a part until the returned function is called, which waits for its end.
func running(t *testing.T, run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// crash kills the server: what it answers from now on is heard by nobody, and what the next life finds is a picture of the disk that is taken after that, whatever
// the server is about to write.
func (s *server) crash(path, picture string) {
	s.mu.Lock()
	s.dead = true
	s.mu.Unlock()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := db.ExecContext(s.t.Context(), "VACUUM INTO ?", picture); err != nil {
		s.t.Fatalf("take a picture of the disk: %v", err)
	}
	if err := db.Close(); err != nil {
		s.t.Fatal(err)
	}
	s.end()
}

// end stops the server as an operator does: sessions end first.
func (s *server) end() {
	for k := range s.sessions {
		s.disconnect(k)
	}
	s.stop()
}

// alive runs f unless the server was killed, so that what f notes was seen by somebody.
func (s *server) alive(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dead {
		f()
	}
}

// Send implements push.Sender.
func (s *server) Send(k endpoint.Key, epoch uint64, p push.Push, _ bool, written func(time.Time)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ss := s.sessions[k]
	if s.dead || ss == nil || ss.epoch != epoch || ss.suspended {
		return endpoint.ErrOffline
	}
	if len(ss.queue) >= 3*window {
		return endpoint.ErrFull
	}
	ss.queue = append(ss.queue, sent{p, written})
	s.world.sent(p)
	return nil
}

// tell tells the service of a change in an endpoint's session.
func (s *server) tell(kind endpoint.ChangeKind, k endpoint.Key, epoch uint64) {
	s.svc.SessionChanged(endpoint.Change{Kind: kind, Key: k, Epoch: epoch, At: time.Now()})
}

// connect opens a session that takes pushes, in place of an older one.
func (s *server) connect(k endpoint.Key, endOldFirst bool) {
	s.mu.Lock()
	old := s.sessions[k]
	s.mu.Unlock()
	if old != nil && endOldFirst {
		s.disconnect(k)
	}
	s.world.epochs++
	ss := &session{epoch: s.world.epochs, available: true}
	s.mu.Lock()
	s.sessions[k] = ss
	s.mu.Unlock()
	s.tell(endpoint.Bound, k, ss.epoch)
	s.tell(endpoint.Available, k, ss.epoch)
	if old != nil && !endOldFirst {
		s.tell(endpoint.Ended, k, old.epoch)
	}
	s.repeat(k)
}

// disconnect ends a session: what lies on its wire is lost.
func (s *server) disconnect(k endpoint.Key) {
	s.mu.Lock()
	ss := s.sessions[k]
	delete(s.sessions, k)
	s.mu.Unlock()
	if ss != nil {
		s.tell(endpoint.Ended, k, ss.epoch)
	}
}

// write writes up to n pushes to the connection.
func (s *server) write(k endpoint.Key, n int) {
	s.mu.Lock()
	ss := s.sessions[k]
	if ss == nil || ss.suspended {
		s.mu.Unlock()
		return
	}
	n = min(n, len(ss.queue))
	out := ss.queue[:n]
	ss.queue, ss.wire = ss.queue[n:], append(ss.wire, out...)
	s.mu.Unlock()
	for _, m := range out {
		m.written(time.Now())
	}
}

// take lets the endpoint read up to n pushes, of what is written and what is about to be.
func (s *server) take(k endpoint.Key, n int) {
	s.write(k, n)
	s.alive(func() {
		ss := s.sessions[k]
		if ss == nil || ss.suspended {
			return
		}
		n = min(n, len(ss.wire))
		for _, m := range ss.wire[:n] {
			s.world.arrived(k, m.push)
		}
		ss.wire = ss.wire[n:]
	})
}

// confirm sends the endpoint's receipt or result. The endpoint keeps it until the server has confirmed it.
func (s *server) confirm(k endpoint.Key, id push.ID, to push.State) {
	s.mu.Lock()
	ss := s.sessions[k]
	usable := ss != nil && !ss.suspended && !s.dead
	if usable {
		s.world.confirmed(id, to)
	}
	s.mu.Unlock()
	if !usable {
		return
	}
	done := func(err error) {
		if err == nil {
			s.alive(func() { s.world.covered(id, to) })
		}
	}
	switch to {
	case push.Delivered:
		s.svc.Receipt(k, id, done)
	default:
		s.svc.Result(k, id, to == push.Handled, nil, done)
	}
}

// repeat sends again what the endpoint has not seen confirmed, as an agent does when it is back.
func (s *server) repeat(k endpoint.Key) {
	for _, c := range s.world.unconfirmed(k) {
		s.confirm(k, c.id, c.to)
	}
}

// play runs the lives of a script one after another over one database, and then one more in which all is well.
func play(t *testing.T, dir string, script []life) []string {
	w := newWorld()
	path, over := filepath.Join(dir, "0.db"), epoch // when the last life ended
	for i, l := range script {
		next := path
		if l.Crash {
			next = filepath.Join(dir, fmt.Sprintf("%d.db", i+1))
		}
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			time.Sleep(epoch + time.Duration(l.Clock)*time.Minute)
			s := start(t, w, path, l.Tight)
			for _, x := range l.Steps {
				s.play(x)
				w.look(t.Context(), s.svc)
			}
			over = time.Since(begun)
			if l.Crash {
				s.crash(path, next)
			} else {
				s.end()
			}
			w.tick()
		})
		path = next
	}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(over)
		s := start(t, w, path, false)
		s.settle()
		w.check(t.Context(), s.svc)
		s.end()
	})
	w.checkFaults(script)
	return w.faults
}

// onMemory returns a directory whose files need no disk, where there is such a file system: a crash is played, not had.
func onMemory(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "signalbox-model-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
