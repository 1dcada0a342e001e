package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// routes are the targets of sni_passthrough by folded name; "*.name" is kept as ".name".
type routes map[string]string

func newRoutes(cfg map[string]string) routes {
	r := routes{}
	for name, target := range cfg {
		r[fold(strings.TrimPrefix(name, "*"))] = target
	}
	return r
}

// fold brings a host name into the form in which names are compared.
func fold(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// target returns where a name goes, empty for a name that is ours. An exact name comes before a wildcard, which stands for one label.
func (r routes) target(name string) string {
	name = fold(name)
	if name == "" {
		return ""
	}
	if t, ok := r[name]; ok {
		return t
	}
	if i := strings.IndexByte(name, '.'); i > 0 {
		return r[name[i:]]
	}
	return ""
}

// passthrough returns the other host that the client's name belongs to, empty if there is none. A hello that cannot be read has no
// name; the handshake will say what is wrong with it.
func (v *visit) passthrough() string {
	if len(v.server.routes) == 0 {
		return ""
	}
	return v.server.routes.target(peekServerName(v.c))
}

// errPeeked ends the handshake that was only begun to read the hello.
var errPeeked = errors.New("the hello was read")

// peekServerName reads the client's hello and leaves it to be read again. crypto/tls parses it, so there is one parser and one
// opinion of what the name is.
func peekServerName(c *conn) string {
	var name string
	p := &peek{conn: c}
	_ = tls.Server(p, &tls.Config{ // always fails: with errPeeked or because the hello cannot be read
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			name = hello.ServerName
			return nil, errPeeked
		},
	}).HandshakeContext(context.Background())
	return name
}

// peek shows what the connection says without consuming it and says nothing itself.
type peek struct {
	*conn
	shown int
}

func (p *peek) Read(b []byte) (int, error) {
	if p.shown == len(p.ahead) {
		if len(p.ahead) >= maxPeek {
			return 0, errPeeked
		}
		if err := p.fill(maxPeek); err != nil {
			return 0, err
		}
	}
	n := copy(b, p.ahead[p.shown:])
	p.shown += n
	return n, nil
}

func (p *peek) Write(b []byte) (int, error) { return len(b), nil }

func (p *peek) Close() error { return nil }

// maxPeek bounds a hello that comes in several records; crypto/tls refuses longer ones.
const maxPeek = 1<<16 + maxRecord

// splice joins the connection with the other host until both directions have ended or nothing passes for too long.
func (v *visit) splice(ctx context.Context, target string) error {
	cfg := v.server.cfg
	dialer := net.Dialer{Timeout: cfg.PassthroughDial}
	there, err := dialer.DialContext(ctx, "tcp", target)
	if err != nil {
		return refuse(PassthroughDial, err)
	}
	defer there.Close()
	unwatch := context.AfterFunc(ctx, func() { _ = there.Close() }) // as the visit does with v.c
	defer unwatch()
	if err := v.c.SetDeadline(time.Time{}); err != nil {
		return refuse(ClosedEarly, err)
	}

	j := newJoint(cfg.PassthroughIdle)
	var both sync.WaitGroup
	both.Go(func() { j.pump(there, v.c) })
	both.Go(func() { j.pump(v.c, there) })
	both.Wait()
	switch {
	case ctx.Err() != nil:
		return refuse(Stopping, ctx.Err())
	case j.timedOut.Load():
		return refuse(PassthroughIdle, nil)
	}
	return refuse(PassthroughDone, nil)
}

// joint is what the two directions of a spliced connection share.
type joint struct {
	idle     time.Duration
	start    time.Time    // keeps the monotonic clock, so that a jump of the other one ends nothing
	last     atomic.Int64 // when something passed in either direction, nanoseconds after start
	timedOut atomic.Bool
}

func newJoint(idle time.Duration) *joint { return &joint{idle: idle, start: time.Now()} }

func (j *joint) touch() { j.last.Store(int64(time.Since(j.start))) }

// quiet returns how much longer nothing may pass.
func (j *joint) quiet() time.Duration {
	return j.idle - time.Since(j.start) + time.Duration(j.last.Load())
}

// pump copies one direction. At its end it ends the other side's reading half, or both connections if it failed.
func (j *joint) pump(to, from net.Conn) {
	if err := j.copy(to, from); err == nil && closeWrite(to) == nil {
		return
	}
	_ = to.Close()   // the error that counts is the one
	_ = from.Close() // that ended the copying
}

// copy returns nil at the end of from.
func (j *joint) copy(to, from net.Conn) error {
	buf := make([]byte, 16<<10)
	for {
		quiet := j.quiet()
		if quiet <= 0 {
			j.timedOut.Store(true)
			return os.ErrDeadlineExceeded
		}
		if err := from.SetReadDeadline(time.Now().Add(quiet)); err != nil {
			return err
		}
		n, err := from.Read(buf)
		if n > 0 {
			j.touch()
			if err := to.SetWriteDeadline(time.Now().Add(j.idle)); err != nil {
				return err
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		}
	}
}

// closeWrite ends our half of the connection.
func closeWrite(c net.Conn) error {
	half, ok := c.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}
