package turnsession

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"signalbox/internal/endpoint"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const domain = "x.example"

var errBroken = errors.New("broken")

// fakeStore is a store in memory, which fails on demand.
type fakeStore struct {
	mu     sync.Mutex
	all    map[ID]Session
	broken map[string]error // by the name of the method
	saves  int              // calls of SaveTURNCounters with counters
}

func (f *fakeStore) fail(method string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken[method] = err
}

func (f *fakeStore) CreateTURNSession(_ context.Context, s Session) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.broken["create"]; err != nil {
		return err
	}
	f.all[s.ID] = s
	return nil
}

func (f *fakeStore) EndTURNSession(ctx context.Context, id ID, e End) (Session, error) {
	if err := ctx.Err(); err != nil {
		return Session{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.broken["end"]; err != nil {
		return Session{}, err
	}
	s, ok := f.all[id]
	if !ok {
		return Session{}, ErrUnknown
	}
	if s.Open() {
		s.Ended, s.Reason = e.At, e.Reason
		if e.Counters != nil {
			s.Counters, s.Counted = *e.Counters, e.Counted
		}
		f.all[id] = s
	}
	return s, nil
}

func (f *fakeStore) SaveTURNCounters(_ context.Context, counts []Count) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range counts {
		s := f.all[c.ID]
		s.Counters, s.Counted = c.Counters, c.At
		f.all[c.ID] = s
		f.saves++
	}
	return nil
}

func (f *fakeStore) TURNSession(_ context.Context, domain string, id ID) (Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.all[id]
	if !ok || s.Domain != domain {
		return Session{}, ErrUnknown
	}
	return s, nil
}

func (f *fakeStore) TURNSessions(_ context.Context, q Query) (some []Session, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.all {
		if q.State == "" || s.State() == q.State {
			some = append(some, s)
		}
	}
	slices.SortFunc(some, func(a, b Session) int { return cmp.Compare(b.ID, a.ID) })
	return some, nil
}

func (f *fakeStore) OpenTURNSessions(context.Context) (ids []ID, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.broken["list"]; err != nil {
		return nil, err
	}
	for id, s := range f.all {
		if s.Open() {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (f *fakeStore) Endpoint(_ context.Context, k endpoint.Key) (endpoint.Record, error) {
	if k.ID == "nobody" {
		return endpoint.Record{}, endpoint.ErrUnknown
	}
	return endpoint.Record{}, nil
}

// fakeTURN is a TURN server in memory, which fails on demand.
type fakeTURN struct {
	mu     sync.Mutex
	open   map[ID]Grant
	opened int // calls of Open that were taken
	ended  []string
	moved  Counters
	broken error
	away   bool          // End waits as long as it may
	hold   chan struct{} // non-nil: Open waits for it, or for the end of its context
}

func (f *fakeTURN) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = err
}

// count has sessions have moved something.
func (f *fakeTURN) count(moved Counters) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.moved = moved
}

func (f *fakeTURN) Open(ctx context.Context, g Grant) error {
	f.mu.Lock()
	hold := f.hold
	f.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return f.broken
	}
	f.open[g.ID] = g
	f.opened++
	return nil
}

func (f *fakeTURN) End(ctx context.Context, id ID, reason string) (Counters, error) {
	f.mu.Lock()
	away := f.away
	f.mu.Unlock()
	if away {
		<-ctx.Done()
		return Counters{}, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, id)
	f.ended = append(f.ended, reason)
	return f.moved, f.broken
}

func (f *fakeTURN) Counters(context.Context, ID) (Counters, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.moved, f.broken
}

func (f *fakeTURN) Credentials(id ID, s Side) Credentials {
	return Credentials{Username: id.String() + ":" + s.String(), Password: "p", URLs: []string{"turn:turn.example?transport=udp"}}
}

func (f *fakeTURN) grant(id ID) (Grant, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g, ok := f.open[id]
	return g, ok
}

func (f *fakeTURN) reasons() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.ended)
}

// sessionAt is the session of an endpoint at an address.
type sessionAt struct {
	endpoint.Session
	at netip.AddrPort
}

func (s sessionAt) Facts() endpoint.Facts { return endpoint.Facts{Remote: s.at} }

func from(addr string) sessionAt {
	return sessionAt{at: netip.AddrPortFrom(netip.MustParseAddr(addr), 4711)}
}

// fakeSightings are sessions by the ids of endpoints.
type fakeSightings map[string]sessionAt

// sightings are fakeSightings that change.
type sightings struct {
	mu  sync.Mutex
	all fakeSightings
}

func (s *sightings) Session(k endpoint.Key) (endpoint.Session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.all[k.ID]
	return at, ok
}

func (s *sightings) set(id string, at sessionAt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[id] = at
}

// bench is a service on fakes.
type bench struct {
	*Service
	t     *testing.T
	store *fakeStore
	turn  *fakeTURN
	seen  *sightings
	stop  func() // ends Run, once
}

// inBubble runs a test in virtual time with a service that runs until the test ends.
func inBubble(t *testing.T, seen fakeSightings, test func(*testing.T, *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, seen)
		b.run()
		defer b.stop()
		test(t, b)
	})
}

func newBench(t *testing.T, seen fakeSightings) *bench {
	t.Helper()
	b := &bench{t: t, store: &fakeStore{all: map[ID]Session{}, broken: map[string]error{}}, turn: &fakeTURN{open: map[ID]Grant{}}, seen: &sightings{all: fakeSightings{}}}
	maps.Copy(b.seen.all, seen)
	b.Service = New(b.store, b.turn, b.seen, zap.NewNop(), prometheus.NewRegistry())
	return b
}

func (b *bench) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			b.t.Error(err)
		}
	})
}

// opened opens a session.
func (b *bench) opened(spec Spec) Session {
	b.t.Helper()
	if spec.TTL == 0 {
		spec.TTL = DefaultTTL
	}
	s, _, err := b.Open(b.t.Context(), domain, spec, Caller{"tok_1", "management"})
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// record reads what is stored.
func (b *bench) record(id ID) Session {
	b.t.Helper()
	s, err := b.store.TURNSession(b.t.Context(), domain, id)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// after lets virtual time pass, and what is due be done.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
