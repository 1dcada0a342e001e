package app

import (
	"context"
	"errors"
	stdlog "log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/console"
	"signalbox/internal/link"
	"signalbox/internal/telemetry"
	"signalbox/internal/upload"
)

// Limits of HTTP on the shared port, where strangers are.
const (
	webHeaderTimeout = 5 * time.Second
	webReadTimeout   = 15 * time.Second // the whole request with its body
	webWriteTimeout  = 30 * time.Second // the whole answer
	webHeaderBytes   = 8<<10 - 4096     // net/http adds 4096
	webBodyBytes     = 64 << 10
	webShutdown      = 3 * time.Second
)

// The console's pages come in many small files, and a browser that had to shake hands for each would be slow. So connections on which it is asked for are kept, within bounds.
const (
	webKeptRequests = 100              // on one connection
	webKeptIdle     = 10 * time.Second // between two of them
	webKeptConns    = 500              // at the same time; beyond, each carries one request as all others do
)

// web speaks HTTP on the connections that listen hands on: one request each, but for the console. It implements link.Handler, and net.Listener for net/http.
type web struct {
	log   *zap.Logger
	conns chan net.Conn
	ended chan struct{} // closed when no connection is taken any more
	once  sync.Once

	mu       sync.Mutex
	closing  bool
	handlers sync.WaitGroup // those that run, also with a connection that they have taken
	kept     int            // connections that carry more than one request
}

func newWeb(log *zap.Logger) *web {
	return &web{log: log.Named("web"), conns: make(chan net.Conn), ended: make(chan struct{})}
}

// webConn is a connection with what is known of it.
type webConn struct {
	net.Conn
	info     link.Info
	requests int  // that were kept; owned by the goroutine that serves it
	kept     bool // it counts among those of web.kept; likewise
}

type webConnKey struct{}

// NetConn returns the connection as it was handed over, for whoever keeps it longer than a request.
func (c *webConn) NetConn() net.Conn { return c.Conn }

// CloseWrite ends our side, so that an answer is not lost to a reset.
func (c *webConn) CloseWrite() error {
	if cw, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return nil
}

// ServeConn implements link.Handler. It returns at once: Run serves.
func (w *web) ServeConn(ctx context.Context, c net.Conn, info link.Info) {
	select {
	case w.conns <- &webConn{Conn: c, info: info}:
	case <-w.ended:
		_ = c.Close()
	case <-ctx.Done():
		_ = c.Close()
	}
}

// Accept implements net.Listener.
func (w *web) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.ended:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (w *web) Close() error {
	w.once.Do(func() { close(w.ended) })
	return nil
}

// Addr implements net.Listener. Each connection knows its own.
func (w *web) Addr() net.Addr { return &net.TCPAddr{} }

// Run answers requests by the handler until ctx ends; then it takes no more, ends the contexts of requests, and waits until
// all handlers have returned.
func (w *web) Run(ctx context.Context, handler http.Handler) error {
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	srv := w.server(serving, handler)
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(w) }() // ends with the shutdown below, which waits for it
	select {
	case <-ctx.Done():
	case err := <-failed:
		failed <- err
	}
	stop()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), webShutdown)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		_ = srv.Close() // strangers that have not said all yet
	}
	w.refuseMore()
	w.handlers.Wait()
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (w *web) server(serving context.Context, handler http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler: w.guard(handler), ReadHeaderTimeout: webHeaderTimeout, ReadTimeout: webReadTimeout, WriteTimeout: webWriteTimeout,
		IdleTimeout: webKeptIdle, MaxHeaderBytes: webHeaderBytes, Protocols: protocols, DisableGeneralOptionsHandler: true, ErrorLog: w.errorLog(),
		BaseContext: func(net.Listener) context.Context { return serving },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if wc, ok := c.(*webConn); ok {
				return context.WithValue(link.NewContext(ctx, wc.info), webConnKey{}, wc)
			}
			return ctx
		},
		ConnState: func(c net.Conn, state http.ConnState) {
			if wc, ok := c.(*webConn); ok && (state == http.StateClosed || state == http.StateHijacked) {
				w.giveBack(wc)
			}
		},
	}
}

// guard has each connection carry one request with a small body, unless it may be kept, and counts who is at work.
func (w *web) guard(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !w.keep(r) {
			rw.Header().Set("Connection", "close") // an upgrade overrides it
		}
		if !w.enter() {
			http.Error(rw, "the server is stopping", http.StatusServiceUnavailable)
			return
		}
		defer w.handlers.Done()
		if !strings.HasPrefix(r.URL.Path, upload.Path) { // which bounds the body itself
			r.Body = http.MaxBytesReader(rw, r.Body, webBodyBytes)
		}
		handler.ServeHTTP(rw, r)
	})
}

// keep reports whether the connection of a request may carry another one, and counts it.
func (w *web) keep(r *http.Request) bool {
	c, ok := r.Context().Value(webConnKey{}).(*webConn)
	if !ok || !strings.HasPrefix(r.URL.Path, console.Path) || r.Header.Get("Upgrade") != "" {
		return false
	}
	if c.requests++; c.requests >= webKeptRequests {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !c.kept && w.kept < webKeptConns {
		c.kept = true
		w.kept++
	}
	return c.kept
}

// giveBack takes a connection out of those that are kept.
func (w *web) giveBack(c *webConn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.kept {
		c.kept = false
		w.kept--
	}
}

// enter counts a handler in, unless those that run are waited for already.
func (w *web) enter() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closing {
		return false
	}
	w.handlers.Add(1)
	return true
}

func (w *web) refuseMore() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closing = true
}

// errorLog takes what net/http says of connections; strangers can cause it.
func (w *web) errorLog() *stdlog.Logger {
	l, err := zap.NewStdLogAt(w.log, zap.DebugLevel)
	if err != nil {
		w.log.Error("the log of HTTP connections is off", telemetry.Cause(err)) // only for an unknown level
		return nil
	}
	return l
}
