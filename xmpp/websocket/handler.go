package websocket

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	coder "github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"signalbox/internal/link"
	"signalbox/internal/telemetry"
	"signalbox/xmpp"
	"signalbox/xmpp/scan"
)

const (
	// Path is where the handler belongs.
	Path = "/xmpp-websocket"

	subprotocol = "xmpp" // RFC 7395 section 3.1
	readAhead   = 256    // bytes: a connection holds this much and no more of net/http's 8 KiB
	writeAhead  = 128    // bytes: a control frame goes out in one piece
)

// Handler opens WebSockets (RFC 6455) that carry XMPP and hands them on. It is an http.Handler, safe for concurrent use.
type Handler struct {
	// set at construction
	server  link.Handler
	origins []string // allowed, in lower case
	names   []string // of hosts whose pages are ours
	limits  limits
	log     *zap.Logger
	opened  *prometheus.CounterVec
	serving context.Context    // of streams that are negotiated; ends when Run begins to end
	stop    context.CancelFunc // of serving

	negotiating sync.WaitGroup
}

// The outcomes of requests, as the metric has them.
const (
	outcomeOpened      = "opened"
	outcomeNoUpgrade   = "no_upgrade"
	outcomeOrigin      = "origin"
	outcomeSubprotocol = "subprotocol"
	outcomeHandshake   = "handshake"
)

// New returns a handler of streams for a server of this domain.
func New(cfg xmpp.Config, domain string, server link.Handler, log *zap.Logger, reg prometheus.Registerer) *Handler {
	h := &Handler{
		server: server,
		names:  []string{domain},
		limits: limits{
			login:  cfg.MaxLoginBytes,
			stanza: scan.Limits{Bytes: cfg.MaxStanzaBytes, Depth: cfg.MaxDepth, Attributes: cfg.MaxAttributes, Namespaces: cfg.MaxNamespaces},
		},
		log: log.Named("websocket"),
		opened: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signalbox_websocket_requests_total", Help: "Requests for an XMPP stream over a WebSocket, by what became of them.",
		}, []string{"outcome"}),
	}
	for _, o := range cfg.WebSocketOrigins {
		h.origins = append(h.origins, asSent(o))
	}
	if u, err := url.Parse(cfg.WebSocketURL); err == nil && u.Host != "" {
		h.names = append(h.names, strings.ToLower(u.Hostname()))
	}
	for _, o := range []string{outcomeOpened, outcomeNoUpgrade, outcomeOrigin, outcomeSubprotocol, outcomeHandshake} {
		h.opened.WithLabelValues(o)
	}
	reg.MustRegister(h.opened)
	h.serving, h.stop = context.WithCancel(context.Background())
	return h
}

// Run waits until ctx ends; then it ends the streams that have no session yet, and returns when they have ended. No request may come any more.
func (h *Handler) Run(ctx context.Context) error {
	<-ctx.Done()
	h.stop()
	h.negotiating.Wait()
	return nil
}

// ServeHTTP opens a WebSocket and starts the stream on it. It needs to know the connection: link.NewContext.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	info, ok := link.FromContext(r.Context())
	switch {
	case !ok || !info.TLS.Secure():
		http.Error(w, "XMPP is spoken inside TLS only", http.StatusForbidden)
		return
	case !hasToken(r.Header, "Upgrade", "websocket", strings.EqualFold):
		w.Header().Set("Upgrade", "websocket")
		h.refuse(w, r, outcomeNoUpgrade, "here is an XMPP stream over a WebSocket (RFC 7395)", http.StatusUpgradeRequired)
		return
	case !h.allowed(r):
		h.refuse(w, r, outcomeOrigin, "this origin is not among xmpp.websocket_origins", http.StatusForbidden)
		return
	case !hasToken(r.Header, "Sec-Websocket-Protocol", subprotocol, func(a, b string) bool { return a == b }):
		h.refuse(w, r, outcomeSubprotocol, "Sec-WebSocket-Protocol: xmpp is needed (RFC 7395 section 3.1)", http.StatusBadRequest)
		return
	}
	c, err := h.upgrade(w, r)
	if err != nil { // and answered
		h.note(r, outcomeHandshake)
		return
	}
	h.note(r, outcomeOpened)
	info.Via = link.ViaWebSocket
	if r.Header.Get("Origin") != "" { // a page, which knows nothing of its TLS connection; some try all the same when they are asked to bind to it
		info.TLS.EndPoint, info.TLS.Exporter = nil, nil
	}
	// On a goroutine of its own, so that the request with its buffers and its stack is gone while somebody who may be a stranger takes his time.
	h.negotiating.Go(func() { h.server.ServeConn(h.serving, c, info) })
}

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, outcome, why string, status int) {
	h.note(r, outcome)
	http.Error(w, why, status)
}

// note counts what became of a request.
func (h *Handler) note(r *http.Request, outcome string) {
	h.opened.WithLabelValues(outcome).Inc()
	if e := h.log.Check(zap.DebugLevel, "request for a WebSocket"); e != nil {
		info, _ := link.FromContext(r.Context())
		e.Write(telemetry.Remote(info.Remote), telemetry.Reason(outcome))
	}
}

// hasToken reports whether a header that is a list has this element.
func hasToken(header http.Header, key, token string, same func(a, b string) bool) bool {
	for _, line := range header[key] {
		if slices.ContainsFunc(strings.Split(line, ","), func(t string) bool { return same(strings.TrimSpace(t), token) }) {
			return true
		}
	}
	return false
}

// upgrade makes the handshake (RFC 6455 section 4.2) or answers why not.
func (h *Handler) upgrade(w http.ResponseWriter, r *http.Request) (*conn, error) {
	c := &conn{limits: &h.limits}
	ws, err := coder.Accept(&taker{ResponseWriter: w, c: c}, r, &coder.AcceptOptions{
		Subprotocols:       []string{subprotocol},
		InsecureSkipVerify: true, // the origin is allowed
		CompressionMode:    coder.CompressionDisabled,
		OnPingReceived:     func(context.Context, []byte) bool { return c.allowControl() },
		OnPongReceived:     func(context.Context, []byte) { c.allowControl() },
	})
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(-1) // conn has its own, which ends the stream with a reason
	c.ws = ws
	return c, nil
}

// taker takes the connection from net/http without its buffers, which would stay as long as the session.
type taker struct {
	http.ResponseWriter
	c *conn
}

// Hijack implements http.Hijacker.
func (t *taker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, brw, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	ahead, err := brw.Reader.Peek(brw.Reader.Buffered())
	if err != nil {
		return nil, nil, err
	}
	if below, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = below.NetConn()
	}
	t.c.wire = &wire{Conn: nc, ahead: bytes.Clone(ahead), room: unlimited}
	t.c.br = bufio.NewReaderSize(t.c.wire, readAhead)
	return t.c.wire, bufio.NewReadWriter(t.c.br, bufio.NewWriterSize(t.c.wire, writeAhead)), nil
}
