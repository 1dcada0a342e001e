// Package api serves the HTTP API of the management server: endpoints, pushes, campaigns, events, webhooks, TURN sessions, remote sessions, the audit trail, tokens, health.
package api

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	stdlog "log"
	"math"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"signalbox/internal/telemetry"
)

// Limits of a connection and of the server. They are not configurable: nothing that uses the API properly comes near them.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second // the whole request with its body
	writeTimeout      = 90 * time.Second // the whole answer, from the end of the request's header
	idleTimeout       = 120 * time.Second
	shutdownTimeout   = 10 * time.Second
	cutTimeout        = 5 * time.Second // for requests at work to notice that they were cut off
	maxHeaderBytes    = 16 << 10
	maxConcurrent     = 1024 // requests at work at the same time
	maxWaits          = 4096 // of those that only wait for the end of a push
	maxProbes         = 64   // requests for readiness and metrics, which come through when all others are refused
)

// Server is the HTTP API. It is safe for concurrent use; everything but the slots and cert is set by New and only read afterwards.
type Server struct {
	cfg       Config
	deps      Deps
	log       *zap.Logger
	allowed   []netip.Prefix
	working   *semaphore.Weighted // one for each request until it has ended; all of it once Serve lets nobody in any more
	slots     chan struct{}       // one element for each request at work
	probes    chan struct{}       // the same for readiness and metrics
	large     chan struct{}       // one element for each large body in memory
	huge      chan struct{}       // the same for those of batches
	snapshots chan struct{}       // one element for each snapshot in memory
	waits     chan struct{}       // one element for each that waits for the end of a push
	serving   context.Context     // ends when Serve begins to end
	stop      context.CancelFunc  // of serving
	mux       *http.ServeMux
	api       huma.API
	spec      []byte // the OpenAPI document
	metrics   requestMetrics
	cert      atomic.Pointer[tls.Certificate] // nil: plain HTTP
}

// New builds the API. It opens nothing but the certificate's files, if there are any. Errors: AllowFrom, the certificate, metrics that are registered already.
func New(cfg Config, deps Deps, log *zap.Logger, reg prometheus.Registerer) (*Server, error) {
	allowed, err := parsePrefixes(cfg.AllowFrom)
	if err != nil {
		return nil, err
	}
	metrics, err := newRequestMetrics(reg)
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, deps: deps, log: log.Named("api"), allowed: allowed, mux: http.NewServeMux(), metrics: metrics,
		working: semaphore.NewWeighted(math.MaxInt64),
		slots:   make(chan struct{}, maxConcurrent), probes: make(chan struct{}, maxProbes), waits: make(chan struct{}, maxWaits), large: make(chan struct{}, maxLarge),
		huge:      make(chan struct{}, maxHuge),
		snapshots: make(chan struct{}, maxSnapshots),
	}
	s.serving, s.stop = context.WithCancel(context.Background())
	if err := s.Reload(); err != nil {
		return nil, err
	}
	s.api = newHuma(s.mux, deps.Version.Version)
	s.registerEndpoints()
	s.registerPushes()
	s.registerEvents()
	s.registerCampaigns()
	s.registerTURN()
	s.registerSessions()
	s.registerAudit()
	s.registerBatch()
	s.registerWhy()
	s.registerTokens()
	s.registerEnrolments()
	s.registerTechnicians()
	s.registerWebhooks()
	s.documentMessages()
	s.registerOperation()
	s.registerDrain()
	s.registerPages()
	if s.spec, err = json.Marshal(finished(s.api.OpenAPI())); err != nil {
		return nil, fmt.Errorf("write the OpenAPI document: %w", err)
	}
	return s, nil
}

// Reload reads the certificate's files again; on an error the old certificate stays.
func (s *Server) Reload() error {
	if !s.cfg.TLS.enabled() {
		return nil
	}
	cert, err := tls.LoadX509KeyPair(s.cfg.TLS.CertFile, s.cfg.TLS.KeyFile)
	if err != nil {
		return fmt.Errorf("load the certificate of the API: %w; tls.cert_file has the certificate with its chain, and tls.key_file the key that it was requested with, both in PEM form", err)
	}
	s.cert.Store(&cert)
	return nil
}

// Handler returns the API without its listeners.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// Serve answers on the listeners, which it closes, until ctx ends; then it answers those that wait for the end of a push and lets requests that are at
// work finish for up to 10 seconds. Then they are cut off, and have 5 seconds to notice. It returns when all that it started has ended, but for requests
// that go on even then, which the log tells of. It is called once.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	srv := s.httpServer(ctx)
	var g errgroup.Group
	failed, fail := context.WithCancel(ctx)
	defer fail()
	for _, l := range listeners {
		if s.cert.Load() != nil {
			l = tls.NewListener(l, s.tlsConfig())
		}
		g.Go(func() error {
			defer fail()
			if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve the API on %s: %w", l.Addr(), err)
			}
			return nil
		})
	}
	<-failed.Done()
	s.stop()
	s.finish(context.WithoutCancel(ctx), srv)
	return g.Wait()
}

// finish lets requests that are at work finish, and cuts off those that take too long: their contexts end then.
func (s *Server) finish(ctx context.Context, srv *http.Server) {
	grace, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	err := srv.Shutdown(grace)
	if err == nil {
		return
	}
	s.log.Warn("requests were cut off at the end", telemetry.Cause(err))
	_ = srv.Close() // its listeners are closed already
	cut, cancel := context.WithTimeout(ctx, cutTimeout)
	defer cancel()
	if err := s.working.Acquire(cut, math.MaxInt64); err != nil {
		s.log.Error("requests that were cut off are still at work", telemetry.Cause(err))
	}
}

func (s *Server) httpServer(ctx context.Context) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // HTTP/2 buys a management server nothing and costs its class of attacks
	return &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes, Protocols: protocols, DisableGeneralOptionsHandler: true, ErrorLog: s.errorLog(),
		// Requests at work outlive ctx: a push that is being committed gets its answer.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
}

// errorLog takes what net/http says of connections; strangers can cause it.
func (s *Server) errorLog() *stdlog.Logger {
	l, err := zap.NewStdLogAt(s.log, zap.DebugLevel)
	if err != nil {
		return nil // only for an unknown level
	}
	return l
}

func (s *Server) tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.cert.Load(), nil },
	}
}
