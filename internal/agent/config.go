package agent

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox/internal/agent/local"
	"signalbox/internal/agent/path"
	"signalbox/internal/agent/remote"
	"signalbox/internal/identity"
	"signalbox/internal/telemetry"
)

// Config says who the agent is, where its server is and what it does for pushes. The zero value is not valid: see Default.
type Config struct {
	ID                string              `key:"id" doc:"Endpoint id: the part of the JID before the @."`
	Domain            string              `key:"domain" doc:"Domain of the JID; the server's certificate must be valid for it."`
	Secret            string              `key:"secret" doc:"Secret of the endpoint. Better kept in secret_file."`
	SecretFile        string              `key:"secret_file" doc:"File with the secret and nothing else; other users must not be able to read it."`
	KeyFile           string              `key:"key_file" doc:"File with the endpoint's own key, instead of a secret; signalbox-agent enroll makes it. Nobody but the agent's user may read it."`
	ServerKey         string              `key:"server_key" doc:"Identity key of the server (sbk1:...), as signalbox-agent enroll notes it. The server proves in each connection that it holds this key, and no certificate matters beside that: one that was renewed by another authority is accepted, and something on the way that opens TLS is seen."`
	Interception      string              `key:"interception" doc:"What to do where something on the way opens TLS and server_key tells: deny, or allow_and_flag, which connects all the same if this machine trusts the authority of the certificate that is shown there, and tells the server."`
	Addresses         []string            `key:"addresses" doc:"Addresses of the server as host:port, tried in order; port 5222 means STARTTLS, every other port TLS from the first byte. Empty: looked up in DNS (SRV)."`
	Proxy             string              `key:"proxy" doc:"HTTP proxy on the way to the server: http://[user@]host:port, or https:// where the proxy itself speaks TLS; direct: none. Empty: HTTPS_PROXY and NO_PROXY of the environment tell."`
	ProxyPasswordFile string              `key:"proxy_password_file" doc:"File with the proxy's password and nothing else; other users must not be able to read it. It goes before a password in proxy."`
	ProxyFallback     bool                `key:"proxy_fallback" doc:"Whether the server is tried without the proxy, too, when the proxy does not lead to it."`
	CAFile            string              `key:"ca_file" doc:"PEM file with the certificate authorities to trust. Empty: those of the system."`
	AllowPlain        bool                `key:"allow_plain" doc:"Whether the secret may be sent as it is (SASL PLAIN, inside TLS) to a server that offers no SCRAM."`
	StateDir          string              `key:"state_dir" doc:"Directory of the journal; made if it is missing. One agent at a time can use it."`
	LocalSocket       string              `key:"local_socket" doc:"Socket by which users at this computer see and end remote sessions, absolute and of 103 bytes at most; its directory is made, open to all users, if it is missing. Empty: /run/NAME/agent.sock (macOS: /var/run/NAME/agent.sock) where state_dir is /var/lib/NAME or /etc/NAME/state, and else agent.sock in state_dir, where the agent's user and root alone come to it."`
	Handlers          map[string]Handler  `key:"handlers" doc:"What to run for a push type, or for all types of a prefix such as policy.*."`
	Concurrency       int                 `key:"concurrency" doc:"How many handlers run at the same time, 1 to 64; with 1 pushes are handled in the order of their arrival."`
	Keepalive         time.Duration       `key:"keepalive" doc:"How often the server is asked for a sign of life, 5s to 1h, give or take a tenth. The default stays below the minute after which many proxies and routers cut what is silent; the agent asks more often where it finds that they cut sooner."`
	Liveness          time.Duration       `key:"liveness" doc:"How long after that question the server may stay silent before the connection counts as dead, 1s to 10m."`
	Grace             time.Duration       `key:"grace" doc:"How long running handlers may go on when the agent is stopped, 0s to 10m."`
	JournalKeep       time.Duration       `key:"journal_keep" doc:"How long finished pushes are remembered, so that one which comes again is known, 1h to 8760h."`
	JournalKeepPushes int                 `key:"journal_keep_pushes" doc:"How many finished pushes are remembered at most, 100 to 100000."`
	Remote            remote.Config       `key:"remote" doc:"Remote sessions of technicians."`
	Log               telemetry.LogConfig `key:"log" doc:"Logs, on standard error."`
}

// Handler is the program that handles pushes of a type.
type Handler struct {
	Command    []string      `key:"command" doc:"Program and its arguments; no shell is involved."`
	Timeout    time.Duration `key:"timeout" doc:"How long the program may run before it is killed with all that it started, 1s to 24h; 1m if it is not given."`
	Repeatable bool          `key:"repeatable" doc:"Whether the program may run again for the same push when the agent ended while it ran."`
}

// What Interception may be.
const (
	InterceptionDeny  = "deny"
	InterceptionAllow = "allow_and_flag"
)

// DefaultTimeout is the Timeout of a handler that does not say another.
const DefaultTimeout = time.Minute

// Default returns the configuration that Load starts from. ID, Domain, StateDir and a secret are still missing.
func Default() Config {
	return Config{
		Interception:      InterceptionDeny,
		Concurrency:       4,
		ProxyFallback:     true,
		Keepalive:         45 * time.Second,
		Liveness:          30 * time.Second,
		Grace:             10 * time.Second,
		JournalKeep:       7 * 24 * time.Hour,
		JournalKeepPushes: 1000,
		Remote:            remote.DefaultConfig(),
		Log:               telemetry.DefaultLog(),
	}
}

// Validate returns all mistakes joined, each beginning with its key, or nil.
func (c Config) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) { errs = append(errs, fmt.Errorf(key+": "+format, args...)) }
	errs = append(errs, c.validateIdentity()...)
	errs = append(errs, c.validateCredentials()...)
	if c.StateDir == "" {
		bad("state_dir", "is missing")
	}
	if err := local.CheckPath(c.LocalSocket); c.LocalSocket != "" && err != nil {
		bad("local_socket", "%v", err)
	}
	errs = append(errs, c.validateProxy()...)
	for i, a := range c.Addresses {
		if !path.ValidAddress(a) {
			bad(fmt.Sprintf("addresses[%d]", i), "%q is not host:port", a)
		}
	}
	errs = append(errs, prefixed("remote", c.Remote.Validate())...)
	if err := c.Log.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("log.%w", err))
	}
	errs = append(errs, c.validateBounds()...)
	for _, name := range sortedKeys(c.Handlers) {
		errs = append(errs, c.Handlers[name].validate(name)...)
	}
	return errors.Join(errs...)
}

// prefixed returns the joined mistakes of a section with its key before each.
func prefixed(section string, err error) (errs []error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			errs = append(errs, fmt.Errorf("%s.%w", section, e))
		}
	}
	return errs
}

func (c Config) validateIdentity() []error {
	var errs []error
	if c.ID == "" {
		errs = append(errs, errors.New("id: is missing"))
	}
	switch {
	case c.Domain == "":
		errs = append(errs, errors.New("domain: is missing"))
	case strings.ContainsFunc(c.Domain, func(r rune) bool { return r > '~' }):
		errs = append(errs, fmt.Errorf("domain: %q must be written in ASCII, as in the certificate (xn--...)", c.Domain))
	}
	if errs != nil {
		return errs
	}
	if _, err := c.jid(); err != nil {
		errs = append(errs, fmt.Errorf("id: %q and domain %q do not make a JID: %w", c.ID, c.Domain, err))
	}
	return errs
}

func (c Config) validateCredentials() []error {
	var errs []error
	bad := func(key, format string, args ...any) { errs = append(errs, fmt.Errorf(key+": "+format, args...)) }
	switch {
	case c.Secret == "" && c.SecretFile == "" && c.KeyFile == "":
		bad("secret", "is missing; set secret_file or secret, or enrol with signalbox-agent enroll")
	case c.Secret != "" && c.SecretFile != "":
		bad("secret", "stands beside secret_file; keep one of them")
	case c.KeyFile != "" && c.Secret+c.SecretFile != "":
		bad("key_file", "stands beside a secret; keep one of them")
	case c.KeyFile != "" && c.ServerKey == "":
		bad("server_key", "is missing, without which key_file is of no use; signalbox-agent enroll notes it")
	}
	if _, err := identity.ParsePublic(c.ServerKey); c.ServerKey != "" && err != nil {
		bad("server_key", "%v", err)
	}
	if c.Interception != InterceptionDeny && c.Interception != InterceptionAllow {
		bad("interception", "must be %s or %s", InterceptionDeny, InterceptionAllow)
	}
	return errs
}

func (c Config) validateProxy() []error {
	switch c.Proxy {
	case path.NoProxy:
		if c.ProxyPasswordFile != "" {
			return []error{errors.New("proxy_password_file: is of no use: proxy is " + path.NoProxy)}
		}
		return nil
	case "":
		return nil
	}
	if _, err := path.ParseProxy(c.Proxy); err != nil {
		return []error{fmt.Errorf("proxy: %w", err)}
	}
	return nil
}

func (c Config) validateBounds() []error {
	var errs []error
	for _, b := range []struct {
		key              string
		value, low, high time.Duration
	}{
		{"keepalive", c.Keepalive, 5 * time.Second, time.Hour},
		{"liveness", c.Liveness, time.Second, 10 * time.Minute},
		{"grace", c.Grace, 0, 10 * time.Minute},
		{"journal_keep", c.JournalKeep, time.Hour, 8760 * time.Hour},
	} {
		if b.value < b.low || b.value > b.high {
			errs = append(errs, fmt.Errorf("%s: must be between %v and %v", b.key, b.low, b.high))
		}
	}
	if c.Liveness > c.Keepalive {
		errs = append(errs, errors.New("liveness: must not exceed keepalive"))
	}
	if c.Concurrency < 1 || c.Concurrency > 64 {
		errs = append(errs, errors.New("concurrency: must be between 1 and 64"))
	}
	if c.JournalKeepPushes < 100 || c.JournalKeepPushes > 100000 {
		errs = append(errs, errors.New("journal_keep_pushes: must be between 100 and 100000"))
	}
	return errs
}

func (h Handler) validate(pattern string) []error {
	var errs []error
	key := "handlers." + pattern
	switch {
	case !validPattern(pattern):
		errs = append(errs, fmt.Errorf("%s: must be a dotted name such as policy.refresh, or a prefix such as policy.*", key))
	case strings.HasPrefix(pattern, builtinPrefix):
		errs = append(errs, fmt.Errorf("%s: types that begin with %s are the agent's own", key, builtinPrefix))
	}
	if len(h.Command) == 0 || h.Command[0] == "" {
		errs = append(errs, fmt.Errorf("%s.command: is missing", key))
	}
	if h.Timeout < time.Second || h.Timeout > 24*time.Hour {
		errs = append(errs, fmt.Errorf("%s.timeout: must be between 1s and 24h", key))
	}
	return errs
}

func sortedKeys(m map[string]Handler) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
