// Package app builds every part, starts it, and stops it in reverse order; it is the only place where the parts meet.
package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"signalbox/certs"
	"signalbox/internal/access"
	"signalbox/internal/access/enrolment"
	"signalbox/internal/access/technician"
	"signalbox/internal/account"
	"signalbox/internal/api"
	"signalbox/internal/audit"
	"signalbox/internal/bus"
	"signalbox/internal/campaign"
	"signalbox/internal/config"
	"signalbox/internal/console"
	"signalbox/internal/datadir"
	"signalbox/internal/diagnosis"
	"signalbox/internal/endpoint"
	"signalbox/internal/events"
	"signalbox/internal/events/webhook"
	"signalbox/internal/identity"
	"signalbox/internal/listen"
	"signalbox/internal/push"
	"signalbox/internal/remote"
	"signalbox/internal/store"
	"signalbox/internal/telemetry"
	"signalbox/internal/turnsession"
	"signalbox/internal/upload"
	"signalbox/relay"
	"signalbox/turn/control"
	"signalbox/xmpp"
	"signalbox/xmpp/component"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/im"
	"signalbox/xmpp/sasl"
	"signalbox/xmpp/websocket"
)

// ErrConfig marks errors of New that only a change of the configuration mends.
var ErrConfig = errors.New("wrong configuration")

// App is one server, built and with open listeners.
type App struct {
	cfg          config.Config
	version      Version
	log          *zap.Logger
	lock         *datadir.Lock
	registry     *prometheus.Registry
	certs        *certs.Store
	clients      *certs.ClientCA // nil: no client certificates
	store        *store.Store
	audit        *audit.Log
	endpoint     *endpoint.Registry
	pushes       *push.Service
	events       *events.Hub
	certWatch    *events.CertWatch
	campaigns    *campaign.Service
	turnSessions *turnsession.Service
	refusals     *events.Refusals
	accounts     *account.Service // nil unless routing is open
	im           *im.Service      // nil unless routing is open
	xmpp         *xmpp.Server

	webhooks *webhook.Service
	drainer  *drainer

	components *component.Server
	uploads    *upload.Service // nil unless upload is enabled

	listen   *listen.Server
	web      *web
	api      *api.Server
	apiPorts []net.Listener

	websocket *websocket.Handler

	identity      identity.Key // by which this server is known
	identityKnown bool         // it is the one that the store has
	enrolments    *enrolment.Service
	enrol         *enrolment.Handler
	technicians   *technician.Service
	remote        *remote.Service
	relays        *relay.Server
	signals       *feature.RemoteSessions
	console       *console.Handler // nil unless console is enabled

	turn        *control.Client // nil: TURN is off
	turnSockets control.Sockets // of a TURN process that is our child

	attempts attempts           // that failed
	why      *diagnosis.Service // says why

	stopping atomic.Bool
	recovery atomic.Bool // what is stored is true again after the last run

	recovered chan struct{} // closed then
	announced chan struct{} // closed when it is known where the server listens
}

// New builds every part and opens all listeners, or none. Run must follow, or Close.
func New(ctx context.Context, cfg config.Config, v Version, log *zap.Logger) (*App, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	a := &App{cfg: cfg, version: v, log: log, recovered: make(chan struct{}), announced: make(chan struct{}), registry: telemetry.NewRegistry(v.Version)}
	for _, build := range []func(context.Context) error{a.buildState, a.buildDomain, a.buildEvents, a.buildEdges, a.open} {
		if err := build(ctx); err != nil {
			return nil, errors.Join(err, a.Close())
		}
	}
	return a, nil
}

// buildState builds what everything else stands on: certificates and the store.
func (a *App) buildState(ctx context.Context) (err error) {
	need := certs.RequiredFor(a.cfg.BaseDomain, a.cfg.Domain)
	if a.certs, err = certs.New(a.cfg.Certs, need, a.log, a.registry); err != nil {
		return err
	}
	if err := a.buildClientCA(); err != nil {
		return err
	}
	if a.lock, err = lockData(a.cfg.DataDir); err != nil {
		return err
	}
	// What a killed server left says nothing about this one.
	if err := os.Remove(filepath.Join(a.cfg.DataDir, ReadyFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the ready file of the last run: %w", err)
	}
	path, err := store.Locate(a.cfg.Store.URL, a.cfg.DataDir)
	if err != nil {
		return err
	}
	if a.store, err = store.Open(ctx, path, a.cfg.Store.Config, a.log, a.registry); err != nil {
		return err
	}
	if err := a.loadIdentity(ctx); err != nil {
		return err
	}
	a.buildAudit()
	return nil
}

// buildClientCA reads the authorities of client certificates, if there are any.
func (a *App) buildClientCA() (err error) {
	if a.cfg.XMPP.ClientCA == "" {
		return nil
	}
	if a.clients, err = certs.NewClientCA(a.cfg.XMPP.ClientCA); err != nil {
		return fmt.Errorf("%w: xmpp.client_ca: %w", ErrConfig, err)
	}
	a.certs.Follow(a.clients)
	return nil
}

// buildDomain builds what knows endpoints and pushes.
func (a *App) buildDomain(context.Context) (err error) {
	a.endpoint = endpoint.NewRegistry(bus.Local{}, a.store, a.cfg.XMPP.Resources(), a.registry)
	a.endpoint.Configure(a.cfg.Events.PresenceConfig)
	if a.pushes, err = push.New(a.cfg.Push, a.store, xmpp.NewSender(a.endpoint), a.log, a.registry); err != nil {
		return err
	}
	a.endpoint.Watch(a.pushes)
	a.campaigns = campaign.New(a.store, a.pushes, a.cfg.Push.MaxTargets, a.log)
	a.attempts = attempts{diagnosis.NewMemory(), a.certs}
	a.endpoint.Watch(a.attempts.memory)
	return a.buildWebhooks()
}

// buildEdges builds what speaks with the outside.
func (a *App) buildEdges(context.Context) (err error) {
	if a.listen, err = listen.New(a.cfg.Listen, a.certs, a.log, a.registry); err != nil {
		return err
	}
	if err := a.buildLaboratory(); err != nil {
		return err
	}
	if err := a.buildTURN(); err != nil {
		return err
	}
	a.buildTURNSessions()
	if err := a.buildRemote(); err != nil {
		return err
	}
	a.listen.AskClients(a.clients)
	a.listen.Observe(refusals{a.refusals, a.attempts})
	if err := a.buildComponents(); err != nil {
		return err
	}
	key, err := access.LoadOrCreateKey(filepath.Join(a.cfg.DataDir, "auth.key"), sasl.MinFakeKeyBytes)
	if err != nil {
		return err
	}
	mechanisms, err := sasl.New(a.store, key, a.cfg.XMPP.ConcurrentSlow)
	if err != nil {
		return err
	}
	if a.cfg.XMPP.FastLifetime > 0 {
		mechanisms.OfferTokens(a.store, a.cfg.XMPP.FastLifetime)
	}
	mechanisms.OfferKeys(a.identity)
	a.buildEnrolment()
	if a.cfg.Upload.Enabled {
		a.uploads, err = upload.New(a.cfg.Upload, filepath.Join(a.cfg.DataDir, "upload"), a.uploadBase, a.log, time.Now)
		if err != nil {
			return err
		}
	}
	set, err := a.buildFeatures()
	if err != nil {
		return err
	}
	a.xmpp, err = xmpp.New(a.cfg.XMPP, a.cfg.Domain, xmpp.Deps{
		SASL:        mechanisms,
		Logins:      a.store,
		Registry:    a.endpoint,
		Resumptions: endpoint.NewResumptions(),
		Pushes:      a.pushes,
		Carrier:     a.pushes,
		Shelf:       a.shelf(),
		Features:    set,
		IM:          a.im,
		Components:  a.components,
		Technicians: broker{a.remote},
		Observer:    a.attempts,
		StartTLS:    a.listen.StartTLS,
		Drain:       a.cfg.Drain.Period,
		OtherHost:   a.cfg.Drain.OtherHost,
	}, a.log, a.registry)
	if err != nil {
		return err
	}
	a.components.SetInside(a.xmpp)
	a.listen.Register(listen.XMPP, a.xmpp)
	a.listen.Register(listen.STARTTLS, a.xmpp)
	a.websocket = websocket.New(a.cfg.XMPP, a.cfg.Domain, a.xmpp, a.log, a.registry)
	a.web = newWeb(a.log)
	a.listen.Register(listen.HTTP, a.web)
	a.buildDrain()
	a.why = a.buildWhy()
	if err := a.buildConsole(); err != nil {
		return err
	}
	return a.buildAPI()
}

func (a *App) buildAPI() (err error) {
	if err := a.registry.Register(readyMetric{health{a}}); err != nil {
		return fmt.Errorf("register the metric of readiness: %w", err)
	}
	tokens := access.New(a.store, time.Now)
	a.api, err = api.New(a.cfg.API, api.Deps{
		Domain:    a.cfg.Domain,
		Endpoints: endpoint.NewDirectory(a.store, a.endpoint),
		Registry:  a.endpoint,
		Pushes:    a.pushes,
		Events:    a.events,
		Campaigns: a.campaigns,
		TURN:      a.turnSessions,
		Sessions:  a.remote,
		Audit:     a.audit,
		Web:       a.consoleURL,
		Enrolment: a.enrolments,
		Tokens:    tokens,
		Health:    health{a},
		Diagnosis: a.why,
		Doctor:    a.buildDoctor(),
		Drainer:   a.drainer,
		Certs:     bundles{a.certs},
		Webhooks:  a.webhooks,
		Metrics:   telemetry.MetricsHandler(a.registry, a.turnMetrics()...),
		Version:   a.version.api(),
		Compat:    a.compat(tokens),

		Technicians: a.technicians,
		Console:     a.consoleURL,
	}, a.log, a.registry)
	if err != nil {
		return fmt.Errorf("%w: api: %w", ErrConfig, err)
	}
	return nil
}

// open opens all listeners before anything is announced.
func (a *App) open(ctx context.Context) (err error) {
	if err := a.listen.Open(ctx); err != nil {
		return err
	}
	if a.apiPorts, err = listen.OpenTCP(ctx, "listen.api", a.cfg.Listen.API); err != nil {
		return err
	}
	return a.openTURN(ctx)
}

// Addrs returns the addresses of each listener, with real ports.
func (a *App) Addrs() map[string][]string {
	addrs := a.listen.Addrs()
	for _, l := range a.apiPorts {
		addrs["api"] = append(addrs["api"], l.Addr().String())
	}
	a.addTURN(addrs)
	return addrs
}

// Close gives back what New took, for an App that is not Run.
func (a *App) Close() error {
	var errs []error
	for _, l := range a.apiPorts {
		errs = append(errs, l.Close())
	}
	if a.listen != nil {
		a.listen.Stop()
	}
	errs = append(errs, a.turnSockets.Close())
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	errs = append(errs, a.lock.Release())
	return errors.Join(errs...)
}

// Run serves until ctx is done, then stops in reverse order. It returns when everything has ended.
func (a *App) Run(ctx context.Context) error {
	err := runStack(ctx,
		part{"certs", a.certs.Run},
		part{"store", a.store.Run},
		part{"audit", a.audit.Run},
		part{"events", a.events.Run},
		part{"cert events", a.certWatch.Run},
		part{"webhook", a.sendEvents},
		part{"refusals", a.refusals.Run},
		part{"push", a.pushes.Run},
		part{"campaign", a.carryOn},
		part{"presence", a.tellPresences},
		part{"trim", a.trim},
		part{"serve", a.serve},
	)
	if errClose := a.store.Close(); err == nil {
		err = errClose
	}
	return errors.Join(err, a.lock.Release())
}

// serve lets the management server in at once, so that it sees what goes on, and endpoints when what is stored is true again after the last run.
func (a *App) serve(ctx context.Context) error {
	return runStack(ctx,
		part{"im", a.route},
		part{"xmpp", a.xmpp.Run},
		part{"component", a.components.Run},
		part{"upload", a.sweepUploads},
		part{"turn", a.keepTURN},
		part{"turnsession", a.turnSessions.Run},
		part{"remote", a.remote.Run},
		part{"api", func(ctx context.Context) error { return a.api.Serve(ctx, a.apiPorts...) }},
		part{"websocket", a.websocket.Run},
		part{"console", a.tellPages},
		part{"web", func(ctx context.Context) error { return a.web.Run(ctx, a.mux()) }},
		part{"relay", a.relays.Run}, // ends the channels whose handlers web waits for
		part{"listen", a.admit},
		part{"drain", a.drainer.run},
	)
}

// route does what routing between accounts leaves to be done in the background.
func (a *App) route(ctx context.Context) error {
	if a.im != nil {
		return a.im.Run(ctx)
	}
	<-ctx.Done()
	return nil
}

// sweepUploads deletes uploaded files whose time is over.
func (a *App) sweepUploads(ctx context.Context) error {
	if a.uploads != nil {
		return a.uploads.Run(ctx)
	}
	<-ctx.Done()
	return nil
}

// carryOn carries campaigns on once pushes are true again after the last run.
func (a *App) carryOn(ctx context.Context) error {
	select {
	case <-a.recovered:
		return a.campaigns.Run(ctx)
	case <-ctx.Done():
		return nil
	}
}

// admit recovers, announces and accepts endpoints.
func (a *App) admit(ctx context.Context) error {
	defer a.stopping.Store(true)
	defer a.listen.Stop()
	if err := a.recover(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	if err := a.keepIdentity(ctx); err != nil {
		return err
	}
	if err := a.remote.Restore(ctx); err != nil {
		return err
	}
	a.recallHomes(ctx)
	a.recovery.Store(true)
	close(a.recovered)
	ready, err := a.announce()
	if err != nil {
		return err
	}
	defer os.Remove(ready)
	close(a.announced)
	a.tellStarted(ctx)
	return a.listen.Run(ctx)
}

// Reload reads the certificates again, those that endpoints see, the authorities of theirs and that of the API, and the secrets of TURN; what is wrong with them is logged and in the error, and the old ones stay.
func (a *App) Reload(ctx context.Context) error {
	report, err := a.certs.Reload(ctx)
	errs := []error{err, a.api.Reload(), a.reloadTURN()}
	if a.clients != nil && a.clients.Problem() != nil {
		errs = append(errs, fmt.Errorf("xmpp.client_ca: %w", a.clients.Problem()))
	}
	for _, f := range report.Bad() {
		errs = append(errs, fmt.Errorf("%s: %w", f.Path, f.Problems))
	}
	return errors.Join(errs...)
}
