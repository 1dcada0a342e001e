package admin

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"signalbox/internal/bus"
	"signalbox/internal/endpoint"
	"signalbox/internal/store"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const domain = "example.test"

func key(id string) endpoint.Key { return endpoint.Key{Domain: domain, ID: id} }

// session is a client that remembers what it was sent and why it was ended.
type session struct {
	feature.Client
	registry *endpoint.Registry
	key      endpoint.Key
	resource string

	mu    sync.Mutex
	got   []string
	ended string
}

func (s *session) Key() endpoint.Key             { return s.key }
func (s *session) JID() string                   { return s.key.JID() + "/" + s.resource }
func (s *session) Deliver(endpoint.Stanza) error { return endpoint.ErrOffline }
func (s *session) LastHeard() time.Time          { return time.Now() }

func (s *session) Facts() endpoint.Facts {
	return endpoint.Facts{Resource: s.resource, Remote: netip.MustParseAddrPort("192.0.2.7:1234"), Bound: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

func (s *session) Send(raw []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, string(raw))
	return true
}

func (s *session) End(r endpoint.Reason) {
	s.mu.Lock()
	s.ended = r.Name
	s.mu.Unlock()
	s.registry.Unbind(s.key, s, r)
}

func (s *session) reason() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// world is the commands on a real directory and store, with an administrator who is logged in.
type world struct {
	t        *testing.T
	registry *endpoint.Registry
	accounts *endpoint.Directory
	set      *feature.Set
	logs     *observer.ObservedLogs
	admin    *session
	ctx      context.Context // of the commands
}

func newWorld(t *testing.T, ids ...string) *world {
	t.Helper()
	core, logs := observer.New(zapcore.InfoLevel)
	st := openStore(t)
	w := &world{t: t, logs: logs, ctx: t.Context()}
	w.registry = endpoint.NewRegistry(bus.Local{}, st, 10, prometheus.NewRegistry())
	w.accounts = endpoint.NewDirectory(st, w.registry)
	roster := func(_ context.Context, k endpoint.Key) ([]byte, error) {
		if k.ID != "pc-1" {
			return nil, endpoint.ErrUnknown
		}
		return []byte("<query xmlns='jabber:iq:roster'><item jid='a@b'/></query>"), nil
	}
	deps := Deps{Directory: w.accounts, Registry: w.registry, Roster: roster}
	w.set = feature.NewSet(nil, Commands(domain, []string{"admin"}, deps, zap.New(core)))
	for _, id := range append(ids, "admin") {
		if _, _, err := w.accounts.Create(t.Context(), endpoint.Endpoint{Key: key(id), Enabled: true}, "s3cret-"+id); err != nil {
			t.Fatal(err)
		}
	}
	w.admin = w.bind("admin", "desk", true)
	return w
}

func openStore(t *testing.T) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "signalbox.db"), store.Default(), zap.NewNop(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := st.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

func (w *world) bind(id, resource string, available bool) *session {
	w.t.Helper()
	s := &session{registry: w.registry, key: key(id), resource: resource}
	if err := w.registry.Bind(s.key, s); err != nil {
		w.t.Fatal(err)
	}
	w.registry.Available(s.key, s, available)
	return s
}

// send asks as a client; the answer must stand in a stream of strict readers.
func (w *world) send(from *session, attributes, content string) feature.Answer {
	w.t.Helper()
	st, err := scan.Parse([]byte("<command xmlns='http://jabber.org/protocol/commands' "+attributes+">"+content+"</command>"), scan.Limits{})
	if err != nil {
		w.t.Fatal(err)
	}
	a := w.set.Answer(w.ctx, &feature.Query{Set: true, Payload: st.Element(), From: from, To: feature.Own, Account: from.key})
	if len(a.Payload) > 0 {
		if _, err := scan.Parse(a.Payload, scan.Limits{Bytes: 1 << 20}); err != nil {
			w.t.Errorf("%s answers %s: %v", attributes, a.Payload, err)
		}
	}
	return a
}

var idOf = regexp.MustCompile(`status='executing'|sessionid='([^']+)'`)

// run runs a command as the administrator, to its end: fields are name and values.
func (w *world) run(name string, fields ...[]string) string {
	w.t.Helper()
	a := w.send(w.admin, "node='http://jabber.org/protocol/admin#"+name+"' action='execute'", "")
	if a.Condition == "" && strings.Contains(string(a.Payload), "status='executing'") {
		form := "<field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/admin</value></field>"
		for _, f := range fields {
			if !strings.Contains(string(a.Payload), "<field var='"+f[0]+"'") {
				w.t.Fatalf("%s has no field %s: %s", name, f[0], a.Payload)
			}
			form += "<field var='" + f[0] + "'><value>" + strings.Join(f[1:], "</value><value>") + "</value></field>"
		}
		id := idOf.FindSubmatch(a.Payload)[1]
		a = w.send(w.admin, fmt.Sprintf("node='http://jabber.org/protocol/admin#%s' action='complete' sessionid='%s'", name, id), "<x xmlns='jabber:x:data' type='submit'>"+form+"</x>")
	}
	if a.Condition != "" {
		w.t.Fatalf("%s answers %s %s", name, a.Condition, a.Detail)
	}
	return string(a.Payload)
}

// want expects all the pieces, and none of those that begin with !.
func want(t *testing.T, got string, pieces ...string) {
	t.Helper()
	for _, p := range pieces {
		piece, not := strings.CutPrefix(p, "!")
		if strings.Contains(got, piece) == not {
			t.Errorf("got %s\nwant %s", got, p)
		}
	}
}

const (
	done   = "!type='error'"
	failed = "status='completed'><note type='error'>"
)
