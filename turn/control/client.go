package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// Errors of Client.
var (
	ErrAway            = errors.New("the TURN process does not answer")
	ErrUnknownSession  = errors.New("there is no such TURN session")
	ErrTooManySessions = fmt.Errorf("more than %d TURN sessions are open", MaxSessions)
)

// MaxSessions bounds the open sessions of one Client.
const MaxSessions = 65_536

// way leads to the TURN process: a child, or another host.
type way interface {
	// connect returns a control connection to a process that knows its settings, and what ends all that connect began. The connection ends it, too.
	connect(ctx context.Context) (c net.Conn, end func(), err error)
	// stream returns a connection for the bytes of one client.
	stream(ctx context.Context) (net.Conn, error)
	// close gives back what is kept between connections.
	close() error
}

// Client is the server's side: it keeps the TURN process at work and tells it of sessions. Its methods may be called concurrently, except those that say
// otherwise.
type Client struct {
	// Set before Run.
	cfg      Config
	owner    string
	log      *zap.Logger
	keys     *keyring
	target   string    // host:port of a TURN process on another host; empty: it is a child
	identity *identity // of this end towards another host; nil for a child
	metrics  *metrics
	way      way
	child    *childWay // way, if it is that
	names    names

	listeners []netip.AddrPort // see Protect
	returned  func()           // see OnReturn; nil: nobody wants to know

	waiting gate // streams that wait for the TURN process

	mu       sync.Mutex
	sessions map[string]*record
	peer     *caller       // nil while the TURN process is away
	back     chan struct{} // closed when peer is there, then replaced
	instance string        // of the TURN process that was there last
	lost     bool          // a TURN process has ended with all that it relayed, and returned was not called since
	listen   []Socket      // of the TURN process: where clients reach it
	families families      // the metrics that it had last
}

// New returns the client of a TURN process: the one at cfg.Control.URL, or if that is empty a child, for which UseChild must be called. Owner names this server
// among those that share a TURN process, the same after a restart. Errors begin with the key at fault.
func New(cfg Config, owner string, log *zap.Logger, reg prometheus.Registerer) (*Client, error) {
	c := &Client{
		cfg: cfg, owner: owner[:min(len(owner), MaxID)], log: log.Named("turn.control"),
		waiting: make(gate, maxWaiting), sessions: map[string]*record{}, back: make(chan struct{}),
	}
	var err error
	if c.keys, err = newKeyring(cfg.SecretFile); err != nil {
		return nil, err
	}
	if cfg.Control.URL != "" {
		if c.target, err = cfg.Control.target(); err != nil {
			return nil, fmt.Errorf("control.url: %w", err)
		}
		if c.identity, err = newIdentity(cfg.Control); err != nil {
			return nil, err
		}
		c.way = &remoteWay{target: c.target, identity: c.identity}
	}
	c.metrics, err = newMetrics(reg, c)
	return c, err
}

// UseChild says what each child gets. It must be called before Run; the sockets are the client's then.
func (c *Client) UseChild(settings Settings, sockets *Sockets) {
	settings.Sockets = sockets.List()
	c.child = &childWay{settings: settings, sockets: sockets, log: c.log}
	c.way, c.listen = c.child, settings.Sockets
}

// SetProgram has children started from a program, with its arguments, instead of the command turn of this one. It must be called between UseChild and Run.
func (c *Client) SetProgram(program ...string) {
	if c.child != nil {
		c.child.program = program
	}
}

// OnReturn has f called each time that another TURN process has taken the place of the one before and knows all open sessions: what the earlier one relayed is lost. It is not called
// for the first one, nor where the connection to the same one was cut and is back, since that relays on. Pauses between two processes grow to longPause, so that one that ends again
// and again does not make f come often. f must not block. It must be called before Run.
func (c *Client) OnReturn(f func()) { c.returned = f }

// Reload reads the secrets and certificates again. What cannot be used stays as it was.
func (c *Client) Reload() error {
	err := c.keys.reload()
	if c.identity != nil {
		err = errors.Join(err, c.identity.reload())
	}
	if p := c.present(); p != nil {
		c.tellSecrets(p)
	}
	return err
}

// Away returns why the TURN process is not there; nil: it is.
func (c *Client) Away() error {
	if c.present() == nil {
		return ErrAway
	}
	return nil
}

// Credentials returns what one side of a session makes allocations with, until expires at the latest. Side is SideA or SideB.
func (c *Client) Credentials(id string, side byte) (username, password string, expires time.Time) {
	expires = time.Now().Add(c.cfg.CredentialTTL)
	c.mu.Lock()
	if r := c.sessions[id]; r != nil && r.session.Expires.Before(expires) {
		expires = r.session.Expires
	}
	c.mu.Unlock()
	username = Username(expires, id, side)
	return username, Password(c.keys.secrets().Current, username), expires.Truncate(time.Second)
}

// present returns the connection to the TURN process, nil while there is none.
func (c *Client) present() *caller {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peer
}

// await returns the connection to the TURN process, and waits for it until ctx ends.
func (c *Client) await(ctx context.Context) (*caller, error) {
	for {
		c.mu.Lock()
		p, back := c.peer, c.back
		c.mu.Unlock()
		if p != nil {
			return p, nil
		}
		select {
		case <-back:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ErrAway, ctx.Err())
		}
	}
}
