package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox/internal/channel"
	"signalbox/internal/client"
	"signalbox/internal/peer"
	"signalbox/internal/viewer"
)

// endWithin bounds the goodbye to a session.
const endWithin = 5 * time.Second

// sessionAttach is the command that takes part in a session.
type sessionAttach struct {
	sessionOpening
	connect   string
	domain    string // of XMPP; empty: the WebSocket
	loopback  bool
	overwrite bool
}

func sessionAttachCommand() *cobra.Command {
	var a sessionAttach
	c := &cobra.Command{
		Use:   "attach [SESSION] [terminal | cp FROM TO | ps | info]",
		Short: "Take part in a session: a terminal on the endpoint, files to and from it, its processes, what it is",
		Long: "Takes the technician's side of a session, or opens one with --endpoint and ends it afterwards. In a terminal ~. at the beginning of a line leaves it,\n" +
			"and ~~ types one ~. A file of the endpoint is written as ENDPOINT:PATH; a copy that was cut goes on where it stopped when the command is given again.",
		Example: "  signalbox session attach --endpoint pc-1 --why ticket-4711\n  signalbox session attach ses_0sa4jhbsg0000\n" +
			"  signalbox session attach --endpoint pc-1 cp report.pdf pc-1:/tmp/\n  signalbox session attach --endpoint pc-1 ps -o json",
		RunE: func(c *cobra.Command, args []string) error { return a.run(c, args) },
	}
	a.flags(c)
	f := c.Flags()
	f.StringVar(&a.n.Endpoint, "endpoint", "", "open a session with this endpoint, instead of taking part in one that is there")
	f.StringVar(&a.connect, "connect", "", "HOST:PORT to connect to instead of that of the server's public URL")
	f.StringVar(&a.domain, "xmpp", "", "log in by XMPP to this domain, instead of by a WebSocket")
	f.BoolVar(&a.loopback, "loopback", false, "reach an endpoint on this very machine directly; for trying things out")
	f.BoolVar(&a.overwrite, "overwrite", false, "cp replaces a file that is there")
	c.ValidArgsFunction = openSessions
	return c
}

// action is what is done in a session.
type action struct {
	kind string // channel that it needs
	args int
	do   func(ctx context.Context, v *viewer.Viewer, c *cobra.Command, args []string) error
}

// actions by their words. What an endpoint is may be asked in a session of any kind.
func (a *sessionAttach) actions() map[string]action {
	return map[string]action{
		"terminal": {channel.Terminal, 0, a.terminal},
		"cp":       {channel.Files, 2, a.copy},
		"ps":       {channel.Processes, 0, a.processes},
		"info":     {channel.Processes, 0, a.info},
	}
}

// parse tells the session, if one is named, from what is to be done.
func (a *sessionAttach) parse(c *cobra.Command, args []string) (session string, act action, rest []string, err error) {
	if a.n.Endpoint == "" {
		if len(args) == 0 {
			return "", action{}, nil, errors.New("name a session, or an endpoint by --endpoint")
		}
		session, args = args[0], args[1:]
	}
	if len(args) == 0 {
		args = []string{"terminal"}
	}
	act, ok := a.actions()[args[0]]
	if !ok {
		return "", action{}, nil, fmt.Errorf("%q is none of terminal, cp, ps, info", args[0])
	}
	if len(args)-1 != act.args {
		return "", action{}, nil, fmt.Errorf("%s takes %d arguments", args[0], act.args)
	}
	if !c.Flags().Changed("kind") {
		a.n.Kinds = []string{act.kind}
	}
	return session, act, args[1:], nil
}

func (a *sessionAttach) run(c *cobra.Command, args []string) error {
	session, act, rest, err := a.parse(c, args)
	if err == nil {
		err = a.tidy()
	}
	if err != nil {
		return err
	}
	return a.call(c.Context(), func(ctx context.Context, api *client.Client) error {
		grant, err := a.grant(ctx, api, session)
		if err != nil {
			return err
		}
		return a.attached(ctx, c, grant, session == "", func(ctx context.Context, v *viewer.Viewer) error { return act.do(ctx, v, c, rest) })
	})
}

// grant opens a session, or has a token made for one that is there.
func (a *sessionAttach) grant(ctx context.Context, api *client.Client, session string) (client.SessionGrant, error) {
	if session != "" {
		return api.RenewSession(ctx, session)
	}
	return api.OpenSession(ctx, a.n)
}

// attached does work in a session, and ends it if it is its own.
func (a *sessionAttach) attached(ctx context.Context, c *cobra.Command, grant client.SessionGrant, own bool, work func(context.Context, *viewer.Viewer) error) error {
	cfg, err := a.viewer(c, grant)
	if err != nil {
		return err
	}
	v := viewer.New(cfg)
	running, leave := context.WithCancel(context.WithoutCancel(ctx)) // the goodbye comes after an interrupt
	defer leave()
	working, stop := context.WithCancelCause(ctx)
	ended := make(chan error, 1)
	go func() {
		err := v.Run(running)
		stop(err)
		ended <- err
	}()
	err = work(working, v)
	if own {
		goodbye, cancel := context.WithTimeout(running, endWithin)
		defer cancel()
		if v.End(goodbye) == nil {
			select {
			case runErr := <-ended:
				return cmpError(runErr, err)
			case <-goodbye.Done():
			}
		}
	}
	leave()
	return cmpError(<-ended, err)
}

// cmpError returns the first error: what ends a session fails all that is done in it.
func cmpError(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// viewer is the configuration of a viewer for a session.
func (a *sessionAttach) viewer(c *cobra.Command, grant client.SessionGrant) (viewer.Config, error) {
	trust, err := a.trust()
	if err != nil {
		return viewer.Config{}, err
	}
	if trust == nil {
		trust = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: trust, DialContext: a.dial, Proxy: http.ProxyFromEnvironment}}
	told := newTeller(c.ErrOrStderr())
	cfg := viewer.Config{
		Session: grant.ID, Token: grant.Token, HTTP: web, Loopback: a.loopback, Call: viewer.WebSocket(grant.SignallingURL, web), Dial: turnDial(trust),
		OnState: told.state, OnPath: told.path, OnRestarted: told.restarted,
	}
	if a.domain != "" {
		cfg.Call = viewer.XMPP(a.domain, func(ctx context.Context) (*tls.Conn, error) { return a.dialXMPP(ctx, trust) })
	}
	return cfg, nil
}

// dial connects to the server, wherever it is said to be.
func (a *sessionAttach) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if a.connect != "" {
		address = a.connect
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// dialXMPP connects to the server's port for XMPP inside TLS.
func (a *sessionAttach) dialXMPP(ctx context.Context, trust *tls.Config) (*tls.Conn, error) {
	conn, err := a.dial(ctx, "tcp", net.JoinHostPort(a.domain, "443"))
	if err != nil {
		return nil, err
	}
	own := trust.Clone()
	own.ServerName, own.NextProtos = a.domain, []string{"xmpp-client"}
	secured := tls.Client(conn, own)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secured, nil
}

// turnDial connects to TURN servers with these authorities.
func turnDial(trust *tls.Config) peer.Dial {
	return func(ctx context.Context, address string, secure bool) (net.Conn, error) {
		if !secure {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}
		own := trust.Clone()
		own.NextProtos = []string{"stun.turn"} // RFC 7443
		own.ServerName, _, _ = strings.Cut(address, ":")
		if host, _, err := net.SplitHostPort(address); err == nil {
			own.ServerName = host
		}
		return (&tls.Dialer{Config: own}).DialContext(ctx, "tcp", address)
	}
}
