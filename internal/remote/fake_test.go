package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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

	"signalbox/internal/audit"
	"signalbox/internal/channel"
	"signalbox/internal/endpoint"
	"signalbox/internal/signalling"
	"signalbox/internal/turnsession"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const domain = "x.example"

var (
	pc1       = endpoint.Key{Domain: domain, ID: "pc-1"}
	errBroken = errors.New("broken")
	home      = netip.MustParseAddr("198.51.100.7")
)

// fakeStore is a store in memory, which fails on demand.
type fakeStore struct {
	mu        sync.Mutex
	all       map[ID]Session
	entries   []audit.Entry // of sessions, and of refusals
	events    []string
	endpoints map[endpoint.Key]endpoint.Record
	broken    error
	hold      chan struct{} // non-nil: writing waits for it
}

func (f *fakeStore) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = err
}

// stall has all that writes wait until goOn is called.
func (f *fakeStore) stall() (goOn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	hold := make(chan struct{})
	f.hold = hold
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.hold = nil
		close(hold)
	}
}

func (f *fakeStore) wait() {
	f.mu.Lock()
	hold := f.hold
	f.mu.Unlock()
	if hold != nil {
		<-hold
	}
}

func (f *fakeStore) CreateRemoteSession(_ context.Context, s Session, e audit.Entry) error {
	f.wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return f.broken
	}
	f.all[s.ID] = s
	f.entries, f.events = append(f.entries, e), append(f.events, e.Action)
	return nil
}

func (f *fakeStore) SaveRemoteSession(_ context.Context, s Session, e *audit.Entry, event bool) error {
	f.wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return f.broken
	}
	if _, ok := f.all[s.ID]; !ok {
		return ErrUnknown
	}
	f.all[s.ID] = s
	if e != nil {
		f.entries = append(f.entries, *e)
	}
	if event {
		f.events = append(f.events, e.Action)
	}
	return nil
}

func (f *fakeStore) RemoteSession(_ context.Context, domain string, id ID) (Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.all[id]
	if !ok || s.Domain != domain {
		return Session{}, ErrUnknown
	}
	return s, nil
}

func (f *fakeStore) RemoteSessions(_ context.Context, q Query) (some []Session, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.all {
		if q.State == "" || s.State == q.State {
			some = append(some, s)
		}
	}
	slices.SortFunc(some, func(a, b Session) int { return cmp.Compare(b.ID, a.ID) })
	return some, nil
}

func (f *fakeStore) OpenRemoteSessions(context.Context) (some []Session, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.all {
		if s.Open() {
			some = append(some, s)
		}
	}
	return some, f.broken
}

func (f *fakeStore) Endpoint(_ context.Context, k endpoint.Key) (endpoint.Record, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, ok := f.endpoints[k]
	if !ok {
		return r, endpoint.ErrUnknown
	}
	return r, nil
}

// Record implements Audit.
func (f *fakeStore) Record(_ context.Context, e audit.Entry) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.entries = append(f.entries, e)
	return nil
}

// acts returns the actions of all entries, and of refusals why.
func (f *fakeStore) acts() (all []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.entries {
		text := e.Action
		if e.Action == audit.SessionRefused {
			text += " " + e.Actor + " " + string(e.Detail)
		}
		all = append(all, text)
	}
	return all
}

func (f *fakeStore) told() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.events)
}

// last returns the newest entry of an action.
func (f *fakeStore) last(action string) audit.Entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range slices.Backward(f.entries) {
		if e.Action == action {
			return e
		}
	}
	return audit.Entry{}
}

// fakeEndpoints are the endpoints that are online, with what they were told.
type fakeEndpoints struct {
	mu     sync.Mutex
	online map[endpoint.Key]bool
	full   bool
	told   []signalling.Message
}

func (f *fakeEndpoints) Live(k endpoint.Key) (endpoint.Presence, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return endpoint.Presence{State: endpoint.StateOnline}, f.online[k]
}

func (f *fakeEndpoints) Tell(k endpoint.Key, m signalling.Message) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case !f.online[k]:
		return endpoint.ErrOffline
	case f.full:
		return endpoint.ErrFull
	}
	f.told = append(f.told, m)
	return nil
}

func (f *fakeEndpoints) set(k endpoint.Key, online bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.online[k] = online
}

// take returns what endpoints were told, and forgets it.
func (f *fakeEndpoints) take() []signalling.Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.told
	f.told = nil
	return all
}

// fakeTURN is a TURN server in memory, which fails on demand.
type fakeTURN struct {
	mu       sync.Mutex
	last     turnsession.ID
	open     map[turnsession.ID]turnsession.Spec
	over     map[turnsession.ID]turnsession.Session // those of which it knows that they have ended
	observed map[turnsession.ID]netip.Addr
	ended    int
	life     time.Duration // of credentials; 0: they do not end
	made     int           // pairs of credentials
	broken   error
	moved    turnsession.Counters
	hold     chan struct{} // non-nil: Silence waits for it
}

func (f *fakeTURN) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = err
}

func (f *fakeTURN) credentials() (both [2]turnsession.Credentials) {
	f.made++
	for side := range both {
		both[side] = turnsession.Credentials{
			Username: fmt.Sprintf("%d%s", f.made, turnsession.Side(side)), Password: "p", URLs: []string{"turn:t.example:3478?transport=udp", "turns:t.example:443?transport=tcp"},
		}
		if f.life > 0 {
			both[side].Expires = time.Now().Add(f.life)
		}
	}
	return both
}

func (f *fakeTURN) Open(_ context.Context, domain string, spec turnsession.Spec, _ turnsession.Caller) (turnsession.Session, [2]turnsession.Credentials, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return turnsession.Session{}, [2]turnsession.Credentials{}, f.broken
	}
	f.last++
	f.open[f.last] = spec
	return turnsession.Session{ID: f.last, Domain: domain, Spec: spec}, f.credentials(), nil
}

func (f *fakeTURN) Renew(_ context.Context, _ string, id turnsession.ID) (turnsession.Session, [2]turnsession.Credentials, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.open[id]; !ok {
		return turnsession.Session{}, [2]turnsession.Credentials{}, turnsession.ErrEnded
	}
	return turnsession.Session{ID: id}, f.credentials(), f.broken
}

func (f *fakeTURN) Observe(id turnsession.ID, side turnsession.Side, at netip.Addr) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if side == turnsession.B {
		f.observed[id] = at
	}
}

func (f *fakeTURN) Silence(_ context.Context, _ string, id turnsession.ID) (turnsession.Session, error) {
	f.mu.Lock()
	hold := f.hold
	f.mu.Unlock()
	if hold != nil {
		<-hold
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.open[id]; ok {
		f.ended++
		f.endLocked(id)
	}
	if s, ok := f.over[id]; ok || f.broken != nil {
		return s, f.broken
	}
	return turnsession.Session{}, turnsession.ErrUnknown
}

func (f *fakeTURN) endLocked(id turnsession.ID) {
	delete(f.open, id)
	f.over[id] = turnsession.Session{ID: id, Counters: f.moved, Counted: time.Now()}
	f.moved = turnsession.Counters{}
}

// stop ends all sessions.
func (f *fakeTURN) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id := range f.open {
		f.endLocked(id)
	}
}

// move has the session that is open have moved so many bytes.
func (f *fakeTURN) move(up uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.moved = turnsession.Counters{BytesUp: up}
}

// count returns how many sessions are open.
func (f *fakeTURN) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.open)
}

// endings returns how many were ended.
func (f *fakeTURN) endings() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ended
}

// lose forgets all sessions.
func (f *fakeTURN) lose() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.open)
}

// technician returns where the party is that is no endpoint, in the newest session.
func (f *fakeTURN) technician() netip.Addr {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.observed[f.last]
}

// fakeRelay joins nothing and counts.
type fakeRelay struct {
	mu       sync.Mutex
	open     map[string]int64 // bounds
	over     func()
	pairs    int
	up, down int64
	broken   error
}

func (f *fakeRelay) Open(session string, quota int64, over func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open[session], f.over = quota, over
}

func (f *fakeRelay) Pair(string) (string, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return "", "", f.broken
	}
	f.pairs++
	return "wss://x.example/relay/t", "wss://x.example/relay/e", nil
}

func (f *fakeRelay) Close(session string) (int64, int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, session)
	return f.up, f.down
}

// legs returns how many pairs were made.
func (f *fakeRelay) legs() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pairs
}

// bounds returns those of the sessions that are open.
func (f *fakeRelay) bounds() map[string]int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.open)
}

func (f *fakeRelay) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = err
}

// exceed has the session that was opened last move more than it may.
func (f *fakeRelay) exceed(up, down int64) {
	f.mu.Lock()
	f.up, f.down = up, down
	over := f.over
	f.mu.Unlock()
	over()
}

// bench is a broker on fakes.
type bench struct {
	*Service
	t         *testing.T
	store     *fakeStore
	endpoints *fakeEndpoints
	turn      *fakeTURN
	relay     *fakeRelay
	stop      func() // ends Run, once

	sealing sync.Mutex         // while Run runs tasks of several sessions
	grants  []signalling.Grant // that were sealed; tests read it while no task runs
}

// inBubble runs a test in virtual time with a broker that runs until the test ends; pc-1 and pc-2 are online.
func inBubble(t *testing.T, test func(*testing.T, *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.run()
		defer func() { b.stop() }()
		test(t, b)
	})
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{
		t:         t,
		store:     &fakeStore{all: map[ID]Session{}, endpoints: map[endpoint.Key]endpoint.Record{}},
		endpoints: &fakeEndpoints{online: map[endpoint.Key]bool{}},
		turn:      &fakeTURN{open: map[turnsession.ID]turnsession.Spec{}, over: map[turnsession.ID]turnsession.Session{}, observed: map[turnsession.ID]netip.Addr{}},
		relay:     &fakeRelay{open: map[string]int64{}},
	}
	for _, id := range []string{"pc-1", "pc-2"} {
		k := endpoint.Key{Domain: domain, ID: id}
		b.store.endpoints[k] = endpoint.Record{Endpoint: endpoint.Endpoint{Key: k, Enabled: true}}
		b.endpoints.online[k] = true
	}
	return b
}

// run starts the broker, anew after stop: what was in memory is gone then.
func (b *bench) run() {
	b.t.Helper()
	b.Service = New(Default(), Deps{
		Store: b.store, Audit: b.store, Presences: b.endpoints, Endpoints: b.endpoints, TURN: b.turn, Relay: b.relay, RelayURL: func() string { return "wss://x.example/relay/" },
		Seal: func(g signalling.Grant) (string, error) {
			b.sealing.Lock()
			defer b.sealing.Unlock()
			b.grants = append(b.grants, g)
			return "sealed", nil
		},
	}, zap.NewNop(), prometheus.NewRegistry())
	if err := b.Restore(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
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

// after lets virtual time pass, and what is due be done.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func spec() Spec {
	return Spec{
		Endpoint: "pc-1", Technician: signalling.Technician{ID: "ann", Name: "Ann Lee"}, Why: "ticket 4711", Kinds: []string{channel.Terminal, channel.Files},
		Consent: signalling.ConsentMode{Mode: signalling.ModeAskDeny},
	}
}

var management = Caller{Token: "tok_1", Name: "management"}

// opened opens a session, with what change makes of spec.
func (b *bench) opened(change ...func(*Spec)) Opened {
	b.t.Helper()
	s := spec()
	for _, c := range change {
		c(&s)
	}
	o, err := b.Open(b.t.Context(), domain, s, management)
	if err != nil {
		b.t.Fatal(err)
	}
	return o
}

// hear has the broker hear an endpoint.
func (b *bench) hear(m signalling.Message) {
	b.t.Helper()
	if err := b.FromEndpoint(b.t.Context(), pc1, m); err != nil {
		b.t.Fatalf("%s of the endpoint: %v", m.Name(), err)
	}
	synctest.Wait()
}

// presence has the broker hear of the endpoint's XMPP session.
func (b *bench) presence(kinds ...endpoint.ChangeKind) {
	for _, kind := range kinds {
		b.endpoints.set(pc1, kind != endpoint.Suspended && kind != endpoint.Ended)
		b.SessionChanged(endpoint.Change{Kind: kind, Key: pc1})
	}
	synctest.Wait()
}

// record reads what is stored, and holds it against what the broker shows.
func (b *bench) record(id ID) Session {
	b.t.Helper()
	stored, err := b.store.RemoteSession(b.t.Context(), domain, id)
	if err != nil {
		b.t.Fatal(err)
	}
	shown, err := b.Session(b.t.Context(), domain, id)
	if err != nil || shown.State != stored.State {
		b.t.Errorf("%s is shown as %s (%v), and stored as %s", id, shown.State, err, stored.State)
	}
	return stored
}

// wantState fails unless the session is in a state, for a reason if it has ended.
func (b *bench) wantState(what string, id ID, want State, reason ...Reason) {
	b.t.Helper()
	r := b.record(id)
	name := ""
	if len(reason) > 0 {
		name = reason[0].Name
	}
	if r.State != want || r.Reason != name {
		b.t.Fatalf("%s: the session is %s %q, want %s %q", what, r.State, r.Reason, want, name)
	}
}

// seat is a technician's connection.
type seat struct {
	*Technician
	mu     sync.Mutex
	got    []signalling.Message
	full   bool
	closed []string
}

func (s *seat) send(m signalling.Message) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.full {
		s.got = append(s.got, m)
	}
	return !s.full
}

func (s *seat) close(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = append(s.closed, reason)
}

// take returns what the technician got, and forgets it.
func (s *seat) take() []signalling.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.got
	s.got = nil
	return all
}

func (s *seat) ends() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.closed)
}

// attach tries to take the technician's side.
func (b *bench) attach(a signalling.Attach, from netip.Addr) (*seat, error) {
	s := &seat{}
	t, err := b.Attach(b.t.Context(), a, from, s.send, s.close)
	s.Technician = t
	return s, err
}

// attached takes the technician's side with a token, and returns the secret to come back with.
func (b *bench) attached(o Opened) (*seat, string) {
	b.t.Helper()
	return b.seated(signalling.Attach{About: about(o.ID), Token: o.Token})
}

// returned comes back with a secret.
func (b *bench) returned(id ID, secret string) (*seat, string) {
	b.t.Helper()
	return b.seated(signalling.Attach{About: about(id), Reattach: secret})
}

func (b *bench) seated(a signalling.Attach) (*seat, string) {
	b.t.Helper()
	s, err := b.attach(a, home)
	if err != nil {
		b.t.Fatal(err)
	}
	state, ok := s.take()[0].(signalling.State)
	if !ok || state.Reattach == "" {
		b.t.Fatalf("the technician got %#v", state)
	}
	synctest.Wait()
	return s, state.Reattach
}

// says has a technician say something.
func (s *seat) says(t *testing.T, m signalling.Message) {
	t.Helper()
	if err := s.Take(t.Context(), m); err != nil {
		t.Fatalf("%s of the technician: %v", m.Name(), err)
	}
	synctest.Wait()
}

func about(id ID) signalling.About { return signalling.About{ID: id.String()} }

// running is a session that is active, with its technician and the secret to come back with.
func (b *bench) running(change ...func(*Spec)) (Opened, *seat, string) {
	b.t.Helper()
	o := b.opened(change...)
	s, secret := b.attached(o)
	b.hear(signalling.Accept{About: about(o.ID), Capabilities: []string{channel.Terminal, channel.Files, channel.System}})
	s.says(b.t, signalling.SDP{About: about(o.ID), Kind: "offer", SDP: "v=0", Peer: 1})
	b.hear(signalling.SDP{About: about(o.ID), Kind: "answer", SDP: "v=0", Peer: 1})
	b.hear(signalling.Path{About: about(o.ID), Rung: signalling.RungDirect})
	b.wantState("both reach each other", o.ID, Active)
	b.endpoints.take()
	s.take()
	return o, s, secret
}

// names are those of messages, with the state of State.
func names(all []signalling.Message) (names []string) {
	for _, m := range all {
		name := m.Name()
		if s, ok := m.(signalling.State); ok {
			name += " " + s.State
		}
		names = append(names, name)
	}
	return names
}
