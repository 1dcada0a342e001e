// Package settings is the section xmpp of the configuration: the limits and times of streams.
package settings

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/link"
	"signalbox/xmpp/scan"
	"signalbox/xmpp/transport"
)

// Routing says who may write to whom.
const (
	RoutingManaged = "managed" // endpoints talk to the server alone
	RoutingOpen    = "open"    // ordinary routing between accounts
)

// Config holds the limits and times of XMPP streams.
type Config struct {
	Routing         string        `key:"routing" doc:"Who may write to whom: managed (endpoints talk to the server, default-deny between them) or open (ordinary routing between accounts)."`
	MaxResources    int           `key:"max_resources" doc:"Sessions that one account may have at the same time where routing is open, each with a resource of its own; those that lost their connection make room for new ones; 1 to 100. A managed endpoint has one."`
	ClientCA        string        `key:"client_ca" doc:"PEM file with the authorities that sign certificates of endpoints, for logins by EXTERNAL (XEP-0178); empty: no client certificates are asked for. Read again with the bundles."`
	MaxStanzaBytes  int           `key:"max_stanza_bytes" doc:"Largest stanza after login, in bytes; 10000 to 2097152."`
	MaxLoginBytes   int           `key:"max_login_bytes" doc:"Largest element before login, in bytes; 10000 to 65536."`
	MaxDepth        int           `key:"max_depth" doc:"Deepest nesting of elements in a stanza after login; 8 to 256."`
	MaxAttributes   int           `key:"max_attributes" doc:"Most attributes of one element; 8 to 64."`
	MaxNamespaces   int           `key:"max_namespaces" doc:"Most namespace declarations in scope within a stanza; 8 to 64."`
	LoginTimeout    time.Duration `key:"login_timeout" doc:"Time from the start of the stream to bind; 5s to 5m."`
	LoginTries      int           `key:"login_tries" doc:"Failed logins on one stream before it is closed, at most 5 by RFC 6120; some clients try each mechanism in turn; 1 to 10."`
	FailureDelay    time.Duration `key:"failure_delay" doc:"Time from the start of a login to the answer that it failed, the same for every cause; 100ms to 10s."`
	StanzaTimeout   time.Duration `key:"stanza_timeout" doc:"Time that a begun stanza may take to arrive; 5s to 10m."`
	PingAfter       time.Duration `key:"ping_after" doc:"Silence after which the server pings an endpoint; shorter than liveness."`
	Liveness        time.Duration `key:"liveness" doc:"Silence after which an endpoint counts as offline; 10s to 1h."`
	WriteTimeout    time.Duration `key:"write_timeout" doc:"Time that one write to an endpoint may take; 1s to 5m."`
	QueueBytes      int           `key:"queue_bytes" doc:"Most bytes that wait for one endpoint to read and to acknowledge (XEP-0198), beyond which new pushes stay in the store; max_stanza_bytes, at least 65536, to 67108864."`
	Location        string        `key:"location" doc:"Address of this node, host:port or [IPv6]:port, at which endpoints are asked to resume their sessions (XEP-0198), where the name that they know may lead them elsewhere; empty: none."`
	ResumeTimeout   time.Duration `key:"resume_timeout" doc:"Time that a lost session stays resumable (XEP-0198); 0 offers no resumption, at most 1h."`
	FastLifetime    time.Duration `key:"fast_token_lifetime" doc:"Time that a token for a login without the secret (XEP-0484) can be used; it is replaced in the second half. 0 hands out none and takes none; 1h to 8760h."`
	StanzasPerSec   int           `key:"stanzas_per_second" doc:"Stanzas per second that one endpoint may send for long; ten times as many at once."`
	BytesPerSec     int           `key:"bytes_per_second" doc:"Bytes per second that one endpoint may send for long; ten times as many at once."`
	ConcurrentSlow  int           `key:"concurrent_slow_logins" doc:"Logins by PLAIN with a secret that somebody chose that are checked at the same time, each about 2 ms of one core; 1 to 64."`
	ShutdownTimeout time.Duration `key:"shutdown_timeout" doc:"Time that sessions have to close when the server stops; 1s to 5m."`

	Admins            []string `key:"admins" doc:"Ids of the endpoints that may administer the server by ad-hoc commands (XEP-0133): add, delete, disable accounts, end sessions, list who is there. They can do what an API token of scope endpoints can."`
	InsecurePlaintext string   `key:"insecure_plaintext" doc:"Unsafe, for laboratories and test suites only: a loopback address such as 127.0.0.1:5223 on which clients log in without TLS, so that secrets cross it in clear. Empty: off."`

	WebSocketOrigins []string `key:"websocket_origins" doc:"Origins of the pages, besides our own, whose scripts may open an XMPP stream over a WebSocket, each as https://host or https://host:port. Programs that are no browsers have no origin and may always."`
	WebSocketURL     string   `key:"websocket_url" doc:"Address of the WebSocket that host-meta tells clients (XEP-0156), wss://host/xmpp-websocket where the public name or port differs from ours; empty: domain and the port of listen.tls."`

	StatusURLs []string `key:"status_urls" doc:"Addresses, https://..., of JSON files at another place that say whether this service is down, and for how long; clients are told of them while it is not (XEP-0455)."`

	Components  map[string]string `key:"components" doc:"Programs that serve a domain beside ours (XEP-0114) at listen.component: name and file with the secret that they prove to know, 16 bytes or more. A name without a dot, such as bot, stands for a domain below ours, bot.DOMAIN. Each may send ten times what an endpoint may."`
	ComponentCA string            `key:"component_ca" doc:"File with the certificates in PEM form that sign those of components. With it listen.component speaks TLS alone, with our certificate, and demands one of each component; without it that listener is for loopback addresses."`
}

// Default returns the configuration that suits managed endpoints.
func Default() Config {
	return Config{
		Routing:         RoutingManaged,
		MaxResources:    10,
		MaxStanzaBytes:  256 << 10,
		MaxLoginBytes:   16 << 10,
		MaxDepth:        64,
		MaxAttributes:   64,
		MaxNamespaces:   64,
		LoginTimeout:    30 * time.Second,
		LoginTries:      5,
		FailureDelay:    500 * time.Millisecond,
		StanzaTimeout:   time.Minute,
		PingAfter:       70 * time.Second,
		Liveness:        85 * time.Second,
		WriteTimeout:    20 * time.Second,
		QueueBytes:      1 << 20,
		ResumeTimeout:   2 * time.Minute,
		FastLifetime:    14 * 24 * time.Hour,
		StanzasPerSec:   200,
		BytesPerSec:     1 << 20,
		ConcurrentSlow:  2,
		ShutdownTimeout: 10 * time.Second,
	}
}

// Validate names every mistake.
func (c Config) Validate() error {
	var errs []error
	within := func(key string, v, low, high int) {
		if v < low || v > high {
			errs = append(errs, fmt.Errorf("%s: is %d, must be %d to %d", key, v, low, high))
		}
	}
	span := func(key string, v, low, high time.Duration) {
		if v < low || v > high {
			errs = append(errs, fmt.Errorf("%s: is %v, must be %v to %v", key, v, low, high))
		}
	}
	if c.Routing != RoutingManaged && c.Routing != RoutingOpen {
		errs = append(errs, fmt.Errorf("routing: is %q, must be managed or open", c.Routing))
	}
	if err := CheckHost(c.Location); err != nil {
		errs = append(errs, fmt.Errorf("location: %w", err))
	}
	within("max_resources", c.MaxResources, 1, 100)
	within("max_stanza_bytes", c.MaxStanzaBytes, 10000, 2<<20)
	within("max_login_bytes", c.MaxLoginBytes, 10000, 64<<10)
	within("max_depth", c.MaxDepth, 8, 256)
	within("max_attributes", c.MaxAttributes, 8, 64)
	within("max_namespaces", c.MaxNamespaces, 8, 64)
	within("login_tries", c.LoginTries, 1, 10)
	within("queue_bytes", c.QueueBytes, max(64<<10, c.MaxStanzaBytes), 64<<20)
	within("stanzas_per_second", c.StanzasPerSec, 1, 1e6)
	within("bytes_per_second", c.BytesPerSec, 1<<10, 1<<30)
	within("concurrent_slow_logins", c.ConcurrentSlow, 1, 64)
	span("login_timeout", c.LoginTimeout, 5*time.Second, 5*time.Minute)
	span("failure_delay", c.FailureDelay, 100*time.Millisecond, 10*time.Second)
	span("stanza_timeout", c.StanzaTimeout, 5*time.Second, 10*time.Minute)
	span("liveness", c.Liveness, 10*time.Second, time.Hour)
	span("ping_after", c.PingAfter, time.Second, c.Liveness-time.Second)
	span("write_timeout", c.WriteTimeout, time.Second, 5*time.Minute)
	span("resume_timeout", c.ResumeTimeout, 0, time.Hour)
	if c.FastLifetime != 0 {
		span("fast_token_lifetime", c.FastLifetime, time.Hour, 365*24*time.Hour)
	}
	span("shutdown_timeout", c.ShutdownTimeout, time.Second, 5*time.Minute)
	for i, id := range c.Admins {
		if err := endpoint.CheckID(id); err != nil {
			errs = append(errs, fmt.Errorf("admins[%d]: %w", i, err))
		}
	}
	if c.InsecurePlaintext != "" {
		if err := link.CheckLoopback(c.InsecurePlaintext); err != nil {
			errs = append(errs, fmt.Errorf("insecure_plaintext: %w", err))
		}
	}
	for i, text := range c.StatusURLs {
		if u, err := url.Parse(text); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			errs = append(errs, fmt.Errorf("status_urls[%d]: %q is not an address such as https://status.example.org/xmpp.json", i, text))
		}
	}
	return errors.Join(append(errs, c.validateWebSocket()...)...)
}

// CheckHost reports why text is no host with a port; empty text is none at all, and allowed.
func CheckHost(text string) error {
	if text == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(text)
	if n, errPort := strconv.Atoi(port); err != nil || host == "" || strings.ContainsAny(host, "<>'\"& ") || errPort != nil || n < 1 || n > 65535 {
		return fmt.Errorf("is %q, must be host:port, or [IPv6]:port", text)
	}
	return nil
}

// Resources returns how many sessions one account may have.
func (c Config) Resources() int {
	if c.Routing == RoutingOpen {
		return c.MaxResources
	}
	return 1
}

// LoginLimits bound what comes before login.
func (c Config) LoginLimits() scan.Limits {
	return scan.Limits{Bytes: c.MaxLoginBytes, Depth: 32, Attributes: 32, Namespaces: 32}
}

// StanzaLimits bound stanzas after login.
func (c Config) StanzaLimits() scan.Limits {
	return scan.Limits{Bytes: c.MaxStanzaBytes, Depth: c.MaxDepth, Attributes: c.MaxAttributes, Namespaces: c.MaxNamespaces}
}

// Transport bounds what a connection may cost.
func (c Config) Transport() transport.Limits {
	return transport.Limits{
		QueueBytes:   4 * c.QueueBytes,                              // pushes stop at QueueBytes, answers at twice that, a resumed session sends all of it again
		ReadBytes:    max(c.MaxStanzaBytes, c.MaxLoginBytes) + 4096, // the scanner refuses what is too long before this much is held
		WriteTimeout: c.WriteTimeout,
		Linger:       2 * time.Second,
	}
}

// Rate bounds what a client sends that logged in.
func (c Config) Rate() transport.Rate { return transport.NewRate(c.StanzasPerSec, c.BytesPerSec) }

// LoginRate is what a stranger may send: a login has a dozen elements.
func (c Config) LoginRate() transport.Rate {
	return transport.NewRate(min(10, c.StanzasPerSec), min(c.MaxLoginBytes, c.BytesPerSec))
}
