// Package enrol registers a machine at its server with a one-time token: it makes the endpoint's key, has the server take it, and writes the agent's configuration.
package enrol

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/net/http/httpproxy"

	"signalbox/internal/agent"
	"signalbox/internal/agent/ladder"
	"signalbox/internal/agent/path"
	"signalbox/internal/identity"
)

// Names of what an enrolment writes.
const (
	ConfigFile = "agent.yaml"
	KeyFile    = "identity.key" // in the state directory
	StateDir   = "state"        // in the configuration's directory, where no other is wanted
)

// timeout bounds an enrolment on one way.
const timeout = time.Minute

// Options say where and how a machine enrols.
type Options struct {
	Server       string // host or host:port; the certificate must be for this host
	Token        string
	ID           string // that the endpoint would like; empty: the token or the server says
	ConfigDir    string // made if it is missing
	StateDir     string // likewise; empty: StateDir in ConfigDir
	Proxy        string // as in the agent's configuration
	PasswordFile string // of the proxy
	CAFile       string
	Interception string // agent.InterceptionDeny or agent.InterceptionAllow
	Force        bool   // replaces a configuration that is there
}

// Result is what an enrolment came to.
type Result struct {
	Endpoint    string `json:"endpoint"` // bare JID
	ServerKey   string `json:"server_key"`
	Config      string `json:"config"`                // path of the configuration
	Already     bool   `json:"already"`               // it was enrolled before at this server, and nothing was done
	Intercepted bool   `json:"intercepted,omitempty"` // something on the way opens TLS, and policy lets it
}

// Errors of Run, beside those of the ways to the server.
var (
	ErrEnrolled    = errors.New("this machine is enrolled at another server")
	ErrOtherServer = errors.New("the server that answers is not the one that made the token")
	ErrIntercepted = errors.New("the answer is not for this connection: something on the way opens TLS")
)

// Run enrols the machine. It may be repeated with the same token at any time: the key is made once, before the server hears of it, and the configuration is written last.
func Run(ctx context.Context, o Options) (Result, error) {
	token, err := identity.ParseEnrolmentToken(o.Token)
	if err != nil {
		return Result{}, fmt.Errorf("token: %w", err)
	}
	if o.StateDir == "" {
		o.StateDir = filepath.Join(o.ConfigDir, StateDir)
	}
	if err := o.absolute(); err != nil {
		return Result{}, err
	}
	if old, found, err := o.enrolled(token); err != nil || found {
		return old, err
	}
	if err := errors.Join(os.MkdirAll(o.ConfigDir, 0o700), os.MkdirAll(o.StateDir, 0o700)); err != nil {
		return Result{}, err
	}
	key, err := identity.LoadOrCreate(filepath.Join(o.StateDir, KeyFile))
	if err != nil {
		return Result{}, err
	}
	got, err := o.request(ctx, token, key.Public())
	if err != nil {
		return Result{}, err
	}
	file, err := o.write(got)
	if err != nil {
		return Result{}, err
	}
	return Result{Endpoint: got.ID + "@" + got.Domain, ServerKey: got.ServerKey.String(), Config: file, Intercepted: got.intercepted}, nil
}

// absolute makes the paths good for an agent that starts elsewhere.
func (o *Options) absolute() (err error) {
	for _, p := range []*string{&o.ConfigDir, &o.StateDir, &o.CAFile, &o.PasswordFile} {
		if *p == "" {
			continue
		}
		if *p, err = filepath.Abs(*p); err != nil {
			return err
		}
	}
	return nil
}

// enrolled looks whether the machine is enrolled already: at the token's server it stays so, at another one only force replaces what is there.
func (o *Options) enrolled(token identity.EnrolmentToken) (Result, bool, error) {
	file := filepath.Join(o.ConfigDir, ConfigFile)
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) || o.Force {
		return Result{}, false, nil
	}
	cfg, err := agent.Load(file, nil)
	if err != nil {
		return Result{}, false, fmt.Errorf("%s is there and cannot be used; mend it, or give --force to replace it: %w", file, err)
	}
	server, err := identity.ParsePublic(cfg.ServerKey)
	if err != nil || !token.Names(server) {
		return Result{}, false, fmt.Errorf("%w (%s); give --force to replace its configuration", ErrEnrolled, file)
	}
	return Result{Endpoint: cfg.ID + "@" + cfg.Domain, ServerKey: cfg.ServerKey, Config: file, Already: true}, true, nil
}

// answer is what the server said, and whether somebody could read it.
type answer struct {
	identity.Enrolled
	intercepted bool
}

// request asks the server on each way until it answers.
func (o *Options) request(ctx context.Context, token identity.EnrolmentToken, key identity.Public) (answer, error) {
	ways, address, err := o.ways()
	if err != nil {
		return answer{}, err
	}
	var errs []error
	for _, r := range ways.Toward(address) {
		got, err := o.on(ctx, ways, r, token, key)
		if err == nil {
			got.Addresses = withFirst(address, got.Addresses)
			return got, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", r, err))
		if ladder.Of(err) == nil { // the server has spoken, or somebody in its place
			break
		}
	}
	if errs == nil {
		errs = append(errs, ladder.New(ladder.ProxyUnusable, "", nil))
	}
	return answer{}, errors.Join(errs...)
}

// ways returns the ways to the server and its address.
func (o *Options) ways() (*path.Finder, string, error) {
	address := o.Server
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(address, path.DirectPort)
	}
	if !path.ValidAddress(address) {
		return nil, "", fmt.Errorf("server: %q is not host or host:port", o.Server)
	}
	if !path.To(address).Direct {
		return nil, "", fmt.Errorf("server: %q is the port of STARTTLS, where nobody enrols; give the host alone, or its port of TLS", o.Server)
	}
	host, _, _ := net.SplitHostPort(address)
	cfg, roots, err := path.TLSConfig(host, o.CAFile)
	if err != nil {
		return nil, "", err
	}
	password, err := agent.Config{ProxyPasswordFile: o.PasswordFile}.ProxyPassword()
	if err != nil {
		return nil, "", err
	}
	proxies, err := path.NewProxies(o.Proxy, password, true, httpproxy.FromEnvironment())
	if err != nil {
		return nil, "", fmt.Errorf("proxy: %w", err)
	}
	return &path.Finder{Domain: host, Proxies: proxies, TLS: cfg, Roots: roots, DNS: net.DefaultResolver, Dial: (&net.Dialer{}).DialContext}, address, nil
}

// on asks on one way.
func (o *Options) on(ctx context.Context, ways *path.Finder, r path.Route, token identity.EnrolmentToken, key identity.Public) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := ways.OpenHTTP(ctx, r, nil)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	e, err := post(ctx, conn, ways.Domain, identity.EnrolRequest{Token: token.String(), ID: o.ID, PublicKey: key})
	if err != nil {
		return answer{}, err
	}
	if !token.Names(e.ServerKey) {
		return answer{}, ErrOtherServer
	}
	state := conn.ConnectionState()
	switch {
	case proven(e, key, state):
		return answer{Enrolled: e}, nil
	case o.Interception == agent.InterceptionAllow && e.Proven(key, nil):
		return answer{Enrolled: e, intercepted: true}, nil
	}
	return answer{}, fmt.Errorf("%w (%s); exempt the server from TLS inspection and enrol again with the same token, or give --interception allow_and_flag", ErrIntercepted, path.Describe(state))
}

// proven reports whether the server itself is at the other end of the connection.
func proven(e identity.Enrolled, key identity.Public, state tls.ConnectionState) bool {
	bound, err := path.Exporter(state)
	return err == nil && e.Proven(key, bound)
}

// withFirst puts the address that worked before the others.
func withFirst(address string, others []string) []string {
	return append([]string{address}, slices.DeleteFunc(slices.Clone(others), func(a string) bool { return a == address || !path.ValidAddress(a) })...)
}
