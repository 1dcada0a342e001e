// Package im routes messages, presence and requests between the accounts of this server as RFC 6121 wants, where xmpp.routing is open.
package im

import (
	"context"
	"errors"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"signalbox/internal/account"
	"signalbox/internal/endpoint"
	"signalbox/internal/telemetry"
	"signalbox/xmpp/feature"
)

// Directory knows which accounts there are.
type Directory interface {
	// Endpoint returns an account, or endpoint.ErrUnknown.
	Endpoint(ctx context.Context, k endpoint.Key) (endpoint.Record, error)
}

// Service routes between accounts. It is safe for concurrent use. Methods with a context may wait for the store.
type Service struct {
	domain     string
	accounts   *account.Service
	directory  Directory
	clients    func(endpoint.Key) []feature.Client
	components Components
	features   *feature.Set
	log        *zap.Logger
	later      later

	seed   maphash.Seed
	orders [64]sync.Mutex
}

// Deps are the parts that a service needs.
type Deps struct {
	Accounts  *account.Service
	Directory Directory
	Clients   func(endpoint.Key) []feature.Client // the bound clients of an account

	Components Components // never nil
}

// New returns a service. SetFeatures must follow before it is used.
func New(domain string, deps Deps, log *zap.Logger) *Service {
	return &Service{
		domain: domain, accounts: deps.Accounts, directory: deps.Directory, clients: deps.Clients, components: deps.Components, log: log.Named("im"),
		later: later{wake: make(chan struct{}, 1)}, seed: maphash.MakeSeed(),
	}
}

// SetFeatures says which features look at what is routed.
func (s *Service) SetFeatures(set *feature.Set) { s.features = set }

// Address is where a stanza goes: an account of this server, or one of its clients.
type Address struct {
	endpoint.Key
	Resource string // empty: the account
}

// String returns the JID.
func (a Address) String() string {
	if a.Resource == "" {
		return a.JID()
	}
	return a.JID() + "/" + a.Resource
}

// parse returns the address of an account here that a JID names.
func (s *Service) parse(text string) (Address, bool) {
	j, err := jid.Parse(text)
	if err != nil || j.Domainpart() != s.domain || j.Localpart() == "" {
		return Address{}, false
	}
	return Address{endpoint.Key{Domain: s.domain, ID: j.Localpart()}, j.Resourcepart()}, true
}

// order is locked by whoever tells others of the presence of an account's clients, from reading it to the last that is told: so nobody is told what is over as the
// newest word. Nothing that may wait is done meanwhile, and no second one is locked.
func (s *Service) order(k endpoint.Key) *sync.Mutex {
	return &s.orders[maphash.Comparable(s.seed, k)%uint64(len(s.orders))]
}

// Domain implements feature.Host.
func (s *Service) Domain() string { return s.domain }

// Clients implements feature.Host.
func (s *Service) Clients(k endpoint.Key) []feature.Client { return s.clients(k) }

// client returns the bound client with this full JID; nil: none.
func (s *Service) client(to Address) feature.Client { return find(s.clients(to.Key), to) }

func find(clients []feature.Client, to Address) feature.Client {
	for _, c := range clients {
		jid := c.JID()
		if start := len(jid) - len(to.Resource); start > 0 && jid[start:] == to.Resource && jid[start-1] == '/' && c.Key() == to.Key {
			return c
		}
	}
	return nil
}

// available returns the clients of an account that are available, with a priority of least or more.
func (s *Service) available(k endpoint.Key, least int8) []feature.Client {
	return available(s.clients(k), least)
}

// available keeps of a list the clients that are available, with a priority of least or more.
func available(clients []feature.Client, least int8) []feature.Client {
	return slices.DeleteFunc(clients, func(c feature.Client) bool {
		p := c.State().Presence()
		return !p.Available || p.Priority < least
	})
}

// exists reports whether there is such an account.
func (s *Service) exists(ctx context.Context, k endpoint.Key) (bool, error) {
	switch _, err := s.directory.Endpoint(ctx, k); {
	case err == nil:
		return true, nil
	case errors.Is(err, endpoint.ErrUnknown):
		return false, nil
	default:
		return false, err
	}
}

// trouble is the answer where the store could not be asked.
func (s *Service) trouble(what string, k endpoint.Key, err error) feature.Answer {
	s.log.Error(what, telemetry.Endpoint(k.JID()), telemetry.Cause(err))
	return feature.Refuse(stanza.Wait, stanza.InternalServerError)
}

// Flush returns once what sessions that ended before left to do is done, or when ctx is.
func (s *Service) Flush(ctx context.Context) {
	done := make(chan struct{})
	s.later.add(func(context.Context) { close(done) })
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// Run does what sessions that ended leave to do, until ctx is done and nothing of it is left.
func (s *Service) Run(ctx context.Context) error {
	s.later.run(ctx)
	return nil
}

// workWithin bounds how long one piece of work may wait for the store, and all that is left at the end.
const workWithin = 10 * time.Second

// later is a queue of work that nobody waits for. What it holds is bounded by the sessions that there were.
type later struct {
	wake chan struct{} // holds a token while there may be something to do

	mu    sync.Mutex
	queue []func(context.Context)
}

func (l *later) add(f func(context.Context)) {
	l.mu.Lock()
	l.queue = append(l.queue, f)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *later) take() []func(context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.queue
	l.queue = nil
	return all
}

func (l *later) run(ctx context.Context) {
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(workWithin, stop) })()
	for over := false; ; {
		for _, f := range l.take() {
			bounded, cancel := context.WithTimeout(working, workWithin)
			f(bounded)
			cancel()
		}
		if over {
			return
		}
		select {
		case <-l.wake:
		case <-ctx.Done():
			over = true
		}
	}
}
