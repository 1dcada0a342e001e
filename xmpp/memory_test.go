package xmpp

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"signalbox/internal/account"
	"signalbox/internal/bus"
	"signalbox/internal/endpoint"
	"signalbox/internal/link"
	"signalbox/internal/push"
	"signalbox/internal/store"
	"signalbox/xmpp/component"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/im"
	"signalbox/xmpp/sasl"
	"signalbox/xmpp/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testDomain = "xmpp.signalbox.test"

// accounts holds one endpoint, pc-1 with the secret s3cret-1.
type accounts struct{ secret endpoint.Secret }

func (a accounts) EndpointSecret(_ context.Context, k endpoint.Key) (endpoint.Secret, bool, error) {
	if k.ID != "pc-1" && k.ID != "pc-2" {
		return endpoint.Secret{}, false, endpoint.ErrUnknown
	}
	return a.secret, true, nil
}

var testSecret = sync.OnceValue(func() endpoint.Secret {
	s, err := endpoint.NewSecret("s3cret-1")
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256([]byte("s3cret-1"))
	s.Fast = sum[:] // spares every login of these tests a slow hash
	return s
})

// tokens keeps those of fast logins.
type tokens struct {
	mu   sync.Mutex
	kept map[string]endpoint.FastTokens
	err  error
}

func (s *tokens) FastTokens(_ context.Context, k endpoint.Key, client string) (endpoint.FastTokens, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept[k.ID+" "+client], s.err
}

func (s *tokens) SaveFastTokens(_ context.Context, k endpoint.Key, client string, t endpoint.FastTokens) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		s.kept = map[string]endpoint.FastTokens{}
	}
	s.kept[k.ID+" "+client] = t
	return s.err
}

// presences forgets them.
type presences struct{}

func (presences) SavePresence(endpoint.Key, endpoint.Presence) {}
func (presences) EndPresences(context.Context, endpoint.Reason, time.Time, time.Time) error {
	return nil
}
func (presences) TellPresences(context.Context, time.Time) error { return nil }
func (presences) SaveTrouble(endpoint.Key, endpoint.Trouble)     {}

// answers keeps what endpoints answered, and the functions to be called when it is durable.
type answers struct {
	mu   sync.Mutex
	text []string
	done []func(error)
}

func (a *answers) Named(endpoint.Key, string) (push.ID, bool) { return 0, false }

func (a *answers) Receipt(k endpoint.Key, id push.ID, done func(error)) {
	a.add("receipt "+k.ID+" "+id.String(), done)
}

func (a *answers) Result(k endpoint.Key, id push.ID, ok bool, result json.RawMessage, done func(error)) {
	status := " failed "
	if ok {
		status = " ok "
	}
	a.add("result "+k.ID+" "+id.String()+status+string(result), done)
}

func (a *answers) add(text string, done func(error)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.text = append(a.text, text)
	a.done = append(a.done, done)
}

// changes keeps the changes that the registry tells.
type changes struct {
	mu    sync.Mutex
	list  []string
	epoch uint64
}

// newest returns the epoch of the last change.
func (c *changes) newest() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch
}

func (c *changes) SessionChanged(ch endpoint.Change) {
	names := [...]string{endpoint.Bound: "bound", endpoint.Available: "available", endpoint.Unavailable: "unavailable", endpoint.Suspended: "suspended", endpoint.Resumed: "resumed", endpoint.Ended: "ended"}
	c.mu.Lock()
	defer c.mu.Unlock()
	text := names[ch.Kind]
	if ch.Reason.Name != "" {
		text += ":" + ch.Reason.Name
	}
	c.list, c.epoch = append(c.list, text), ch.Epoch
}

func (c *changes) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.list, " ")
}

// bench is a server without sockets.
type bench struct {
	*Server
	answers *answers
	changes *changes
	tokens  *tokens
}

func newBench(t testing.TB, change ...func(*Config)) *bench {
	t.Helper()
	secret := testSecret()
	mechanisms, err := sasl.New(accounts{secret}, make([]byte, sasl.MinFakeKeyBytes), 2)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Default()
	for _, c := range change {
		c(&cfg)
	}
	b := &bench{answers: &answers{}, changes: &changes{}, tokens: &tokens{}}
	mechanisms.OfferTokens(b.tokens, cfg.FastLifetime)
	registry := endpoint.NewRegistry(bus.Local{}, presences{}, cfg.Resources(), prometheus.NewRegistry())
	registry.Configure(endpoint.PresenceConfig{}) // nobody is slowed
	registry.Watch(b.changes)
	deps := Deps{SASL: mechanisms, Logins: accounts{secret}, Registry: registry, Resumptions: endpoint.NewResumptions(), Pushes: b.answers, Features: feature.NewSet(nil, feature.Ping())}
	if cfg.Routing == RoutingOpen {
		deps.IM = openRouting(t, registry)
		deps.IM.SetFeatures(deps.Features)
	}
	b.Server, err = New(cfg, testDomain, deps, zap.NewNop(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// openRouting routes between accounts that hold nothing.
func openRouting(t testing.TB, registry *endpoint.Registry) *im.Service {
	t.Helper()
	st, err := store.Open(context.Background(), filepath.Join(t.TempDir(), store.FileName), store.Default(), zap.NewNop(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	held, err := account.New(account.Default(), st.Accounts())
	if err != nil {
		t.Fatal(err)
	}
	return im.New(testDomain, im.Deps{Accounts: held, Directory: st, Clients: Clients(registry), Components: (*component.Server)(nil)}, zap.NewNop())
}

// wire is a connection in memory. It implements transport.Conn.
type wire struct {
	mu       sync.Mutex
	out      []byte
	finished bool
	aborted  bool
	full     bool
	mute     bool // nobody says that anything was written
}

func (w *wire) Send(p, tail []byte, written func(time.Time)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.finished:
		return transport.ErrClosed
	case w.full:
		return transport.ErrFull
	}
	w.out = append(append(w.out, p...), tail...)
	if written != nil && !w.mute {
		written(time.Now())
	}
	return nil
}

func (w *wire) Control(p []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.finished {
		w.out = append(w.out, p...)
	}
}

func (w *wire) Finish(p []byte) {
	w.Control(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.finished = true
}

func (w *wire) Abort() { w.aborted = true }

// take returns what was written since the last call.
func (w *wire) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := string(w.out)
	w.out = nil
	return s
}

// talk is a stream with its wire and the bytes that it has not consumed.
type talk struct {
	*stream
	wire *wire
	rest []byte
	next transport.Next
}

func (b *bench) connect(t testing.TB) *talk {
	t.Helper()
	w := &wire{}
	info := link.Info{Remote: netip.MustParseAddrPort("192.0.2.1:1234"), Via: link.ViaTLS, TLS: link.TLS{Version: 0x0304}}
	ctx, cancel := context.WithCancel(context.Background())
	st := newStream(b.Server, w, info, &login{ctx: ctx})
	st.giveUp = cancel
	if !b.remember(st) {
		t.Fatal("server is closing")
	}
	return &talk{stream: st, wire: w}
}

// feed gives the stream bytes as a driver does: everything not consumed, again after each answer but Read.
func (k *talk) feed(p string) {
	k.rest = append(k.rest, p...)
	for len(k.rest) > 0 && k.next != transport.Stop {
		n, next := k.Data(k.rest)
		k.rest = append([]byte(nil), k.rest[n:]...)
		k.next = next
		if next == transport.Read {
			return
		}
	}
}

// lose closes the connection as the network does.
func (k *talk) lose() { k.Closed(errors.New("reset by peer")) }

const (
	header    = "<stream:stream to='" + testDomain + "' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
	authPC1   = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHBjLTEAczNjcmV0LTE=</auth>"
	bindAgent = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>agent</resource></bind></iq>"
	enable    = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>"
	login1    = header + authPC1 + header + bindAgent
)

// resumable logs in, enables resumption, becomes available, and returns the id of the session.
func (b *bench) resumable(t testing.TB) (*talk, string) {
	t.Helper()
	k := b.connect(t)
	k.feed(login1 + enable + "<presence/>")
	_, id, ok := strings.Cut(k.wire.take(), "<enabled xmlns='urn:xmpp:sm:3' id='")
	if !ok {
		t.Fatal("stream management was not enabled")
	}
	id, _, _ = strings.Cut(id, "'")
	return k, id
}

func (b *bench) deliver(t testing.TB, text string) error {
	t.Helper()
	return b.deps.Registry.Route(endpoint.Key{Domain: testDomain, ID: "pc-1"}, endpoint.Stanza{Raw: []byte(text)})
}

// ended reports whether the stream's last words were written.
func (w *wire) ended() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.finished
}
