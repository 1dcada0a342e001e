package control

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"go.uber.org/zap"

	"signalbox/internal/telemetry"
)

// writeTimeout bounds how long one end of a control connection waits for the other to read.
const writeTimeout = 10 * time.Second

// metricsFormat is how metrics travel in a message.
var metricsFormat = expfmt.NewFormat(expfmt.TypeProtoDelim)

// Handler is what the TURN process does for a server. Its methods are called one after the other on each connection and must not wait for the network.
type Handler interface {
	// Own says which listeners the server of an owner has, on its own machine, in place of those that it had: no peer may be any of them.
	Own(owner string, listeners []netip.AddrPort)
	// Secrets replaces the keys of passwords.
	Secrets(Secrets)
	// Open opens a session, or changes one that is open: its peers, addresses, limits and end.
	Open(Session) error
	// End ends a session; everything of it is silent when it returns. False: there is none.
	End(id, reason string) (Counters, bool)
	// Sync ends the sessions of the owner that are not among ids.
	Sync(owner string, ids []string)
	// Counters returns what a session has done. False: there is none.
	Counters(id string) (Counters, bool)
}

// Server answers on control connections in the TURN process. It may serve several at a time.
type Server struct {
	handler  Handler
	metrics  prometheus.Gatherer
	instance string
	listen   []Socket
	log      *zap.Logger

	mu       sync.Mutex
	attended map[string]*attendance // guarded by mu; the newest connection of each owner
}

// NewServer returns a server of the handler. Metrics are what it is asked for under that name; those whose names do not begin with signalbox_turn_ are for
// nobody. Listen says where clients reach this process.
func NewServer(h Handler, metrics prometheus.Gatherer, listen []Socket, log *zap.Logger) *Server {
	var id [8]byte
	rand.Read(id[:]) // never fails, see crypto/rand
	return &Server{handler: h, metrics: metrics, instance: hex.EncodeToString(id[:]), listen: listen, log: log.Named("turn.control"), attended: map[string]*attendance{}}
}

// Serve answers on one connection until it ends, or ctx, and closes it. It returns nil when the other end has closed it, or ctx is done: a child ends then.
func (s *Server) Serve(ctx context.Context, c net.Conn) error {
	unwatch := context.AfterFunc(ctx, func() { _ = c.Close() }) // so that the read below ends
	defer unwatch()
	defer c.Close()
	a := &attendance{server: s, conn: c}
	defer s.leave(a)
	r := bufio.NewReader(c)
	for {
		m, err := readMessage(r)
		if err == nil {
			err = a.answer(c, m)
		}
		switch {
		case ctx.Err() != nil || errors.Is(err, io.EOF) || a.replaced.Load() || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET):
			return nil
		case err != nil:
			return fmt.Errorf("control connection: %w", err)
		}
	}
}

// attendance is one connection of a Server. It is used by one goroutine.
type attendance struct {
	server *Server
	conn   net.Conn
	owner  string // empty until it said hello

	replaced atomic.Bool // by a newer one of its owner, which closed it
}

// attend makes a connection the one of its owner. An older one is closed: its server has given it up, and would otherwise go on to decide with what it knew.
func (s *Server) attend(a *attendance, owner string) {
	s.mu.Lock()
	older := s.attended[owner]
	s.attended[owner] = a
	s.mu.Unlock()
	if older != nil && older != a {
		s.log.Info("a server has come back by another connection", telemetry.Detail(owner))
		older.replaced.Store(true)
		_ = older.conn.Close()
	}
}

// leave forgets a connection that has ended.
func (s *Server) leave(a *attendance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.attended[a.owner] == a {
		delete(s.attended, a.owner)
	}
}

// answer does what a message asks for and writes the answer.
func (a *attendance) answer(c net.Conn, m message) error {
	out, err := a.do(m)
	if err != nil {
		out = message{Error: err.Error()}
	}
	out.Number = m.Number
	line, err := appendMessage(nil, out)
	if err != nil {
		return err
	}
	if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err = c.Write(line)
	return err
}

// do does what a message asks for. An error is the answer.
func (a *attendance) do(m message) (message, error) {
	if m.Do == doHello {
		return a.hello(m)
	}
	if a.owner == "" {
		return message{}, errors.New("say hello first")
	}
	todo, known := requests[m.Do]
	if !known {
		return message{}, fmt.Errorf("unknown request %q", m.Do)
	}
	return todo(a, m)
}

func (a *attendance) hello(m message) (message, error) {
	switch {
	case m.Hello == nil || m.Hello.Owner == "" || len(m.Hello.Owner) > MaxID:
		return message{}, errors.New("a hello without its name")
	case len(m.Hello.Own) > maxOwn:
		return message{}, fmt.Errorf("a hello with more than %d listeners", maxOwn)
	case a.owner != "":
		return message{}, errors.New("a second hello")
	case m.Hello.Version != protocolVersion:
		return message{}, fmt.Errorf("the server speaks version %d of the control protocol, this TURN process %d: install the same version on both", m.Hello.Version, protocolVersion)
	}
	a.owner = m.Hello.Owner
	a.server.attend(a, a.owner)
	a.server.handler.Own(a.owner, alsoAt(m.Hello.Own, remoteOf(a.conn).Addr()))
	a.server.log.Info("controlled by a server", telemetry.Detail(a.owner))
	return message{Hello: &hello{Version: protocolVersion, Instance: a.server.instance, Listen: a.server.listen}}, nil
}

// requests is the table of what can be asked for.
var requests = map[string]func(*attendance, message) (message, error){
	doPing:    func(*attendance, message) (message, error) { return message{}, nil },
	doSecrets: (*attendance).secrets,
	doOpen:    (*attendance).open,
	doMetrics: (*attendance).metrics,
	doEnd: func(a *attendance, m message) (message, error) {
		return counted(a.server.handler.End(m.ID, m.Reason))
	},
	doCounters: func(a *attendance, m message) (message, error) {
		return counted(a.server.handler.Counters(m.ID))
	},
	doSync: func(a *attendance, m message) (message, error) {
		a.server.handler.Sync(a.owner, m.IDs)
		return message{}, nil
	},
}

func (a *attendance) secrets(m message) (message, error) {
	if m.Secrets == nil || len(m.Secrets.Current) == 0 {
		return message{}, errors.New("no secret")
	}
	a.server.handler.Secrets(*m.Secrets)
	return message{}, nil
}

func (a *attendance) open(m message) (message, error) {
	if m.Session == nil {
		return message{}, errors.New("no session")
	}
	s := *m.Session
	s.Owner = a.owner
	if err := s.Validate(); err != nil {
		return message{}, err
	}
	return message{}, a.server.handler.Open(s)
}

func (a *attendance) metrics(message) (message, error) {
	families, err := a.server.metrics.Gather()
	if err != nil && len(families) == 0 {
		return message{}, fmt.Errorf("gather metrics: %w", err)
	}
	var out bytes.Buffer
	enc := expfmt.NewEncoder(&out, metricsFormat)
	for _, f := range families {
		if err := enc.Encode(f); err != nil {
			return message{}, fmt.Errorf("write metrics: %w", err)
		}
	}
	return message{Metrics: out.Bytes()}, nil
}

func counted(c Counters, found bool) (message, error) {
	if !found {
		return message{}, nil
	}
	return message{Found: true, Counters: &c}, nil
}
