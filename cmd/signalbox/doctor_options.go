package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox/internal/app"
	"signalbox/internal/client"
	"signalbox/internal/config"
	"signalbox/internal/doctor"
)

// fromOutside is the value of --from that has another machine looked at.
const fromOutside = "outside"

// doctorOptions are the flags of doctor beside those of the configuration.
type doctorOptions struct {
	out         output
	remote      remote
	from        string
	address     string
	dns         string
	role        string
	turnSession string
}

func (o *doctorOptions) flags(c *cobra.Command) {
	o.out.flag(c)
	o.remote.flags(c)
	f := c.Flags()
	f.StringVar(&o.from, "from", "", fromOutside+": look at the server from another machine, with the authorities of --ca-file or of the system")
	f.StringVar(&o.address, "address", "", "with --from outside: IP address or name of the server; the domain if not given")
	f.StringVar(&o.dns, "dns", "", "DNS server to ask, as an address with or without a port; the system's if not given")
	f.StringVar(&o.role, "role", string(doctor.ForServer), "whose names the step dns looks up: "+roleList())
	f.StringVar(&o.turnSession, "turn-session", "", `file with what "signalbox turn session open -o json" prints, for the step turn; - is standard input`)
}

func roleList() string {
	var names []string
	for _, r := range doctor.Roles() {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

// installation is what is to be examined. Mistakes of the configuration are for the examination; errors are wrong usage.
func (o *doctorOptions) installation(src config.Source, steps []string, stdin io.Reader) (doctor.Installation, error) {
	in := configured(src)
	in.Role = doctor.Role(o.role)
	if !slices.Contains(doctor.Roles(), in.Role) {
		return in, marked(exitUsage, fmt.Errorf("--role %s: must be one of %s", o.role, roleList()))
	}
	var errs []error
	if o.dns != "" {
		in.Resolver = resolverAt(o.dns)
	}
	if o.from == fromOutside {
		errs = append(errs, o.outside(&in, steps))
	} else {
		lookHere(&in, src)
		errs = append(errs, o.inside())
	}
	var err error
	in.Session, err = o.session(in, stdin)
	return in, marked(exitUsage, errors.Join(append(errs, err)...))
}

// configured is an installation with this configuration.
func configured(src config.Source) doctor.Installation {
	in := doctor.Installation{File: src.File}
	in.Config, in.Warnings, in.Err = config.Load(src)
	return in
}

// lookHere adds what can be seen on the server's machine.
func lookHere(in *doctor.Installation, src config.Source) {
	if fileName(src) != src.File {
		in.Warnings = append(in.Warnings, src.File+": does not exist; --config names another")
	}
	in.Running = announced(in.Config.DataDir)
}

// inside refuses what has no meaning on the server's machine.
func (o *doctorOptions) inside() error {
	switch {
	case o.from != "":
		return fmt.Errorf("--from %s: must be %s, or not given on the server's machine", o.from, fromOutside)
	case o.address != "":
		return errors.New("--address: belongs to --from outside; on the server's machine the listeners of the configuration are asked")
	}
	return nil
}

// outside has the server looked at from here.
func (o *doctorOptions) outside(in *doctor.Installation, steps []string) error {
	in.Outside = &doctor.Outside{Address: o.address}
	for _, s := range steps {
		if !slices.Contains(doctor.OutsideSteps(), doctor.Step(s)) {
			return fmt.Errorf("%s: is looked at on the server's machine, not with --from outside", s)
		}
	}
	if o.remote.caFile == "" {
		return nil
	}
	roots, err := trusted(o.remote.caFile)
	in.Outside.Roots = roots
	return err
}

// resolverAt asks one DNS server, at port 53 if none is named.
func resolverAt(server string) *net.Resolver {
	if _, _, err := net.SplitHostPort(server); err != nil {
		server = net.JoinHostPort(server, "53")
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, server)
	}}
}

// announced returns where a running server says that it listens; nil if none does, or if the file is not ours to read.
func announced(dataDir string) (addrs map[string][]string) {
	text, err := os.ReadFile(filepath.Join(dataDir, app.ReadyFile))
	if err != nil || json.Unmarshal(text, &addrs) != nil {
		return nil
	}
	return addrs
}

// Bounds of the session that is opened to try TURN with.
const (
	sessionSeconds = 60
	sessionTimeout = 10 * time.Second // for one call of the API
)

// session returns how a TURN session is opened; nil: it cannot be, without a token and a session that was opened elsewhere.
func (o *doctorOptions) session(in doctor.Installation, stdin io.Reader) (func(context.Context) (doctor.TURNSession, error), error) {
	if o.turnSession != "" {
		grant, err := readGrant(o.turnSession, stdin)
		if err != nil {
			return nil, fmt.Errorf("--turn-session: %w", err)
		}
		return func(context.Context) (doctor.TURNSession, error) { return sidesOf(grant), nil }, nil
	}
	if cmp.Or(o.remote.token, os.Getenv(envToken)) == "" {
		return nil, nil
	}
	r := o.remote
	if own := in.Running["api"]; len(own) > 0 && in.Config.API.TLS.CertFile == "" {
		r.url = cmp.Or(r.url, os.Getenv(envURL), "http://"+own[0])
	}
	return r.openTURN, nil
}

// openTURN opens a session over the API.
func (r *remote) openTURN(ctx context.Context) (s doctor.TURNSession, err error) {
	var grant client.TURNGrant
	err = r.within(ctx, func(ctx context.Context, api *client.Client) (err error) {
		grant, err = api.OpenTURNSession(ctx, client.NewTURNSession{TTL: sessionSeconds})
		return err
	})
	s = sidesOf(grant)
	s.End = func() {
		_ = r.within(context.WithoutCancel(ctx), func(ctx context.Context, api *client.Client) error { // it ends by itself, too
			_, err := api.EndTURNSession(ctx, grant.ID)
			return err
		})
	}
	return s, err
}

// within is call with a bound of time.
func (r *remote) within(ctx context.Context, work func(context.Context, *client.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, sessionTimeout)
	defer cancel()
	return r.call(ctx, work)
}

func sidesOf(g client.TURNGrant) doctor.TURNSession {
	side := func(c client.TURNCredentials) doctor.Credentials {
		return doctor.Credentials{Username: c.Username, Password: c.Credential}
	}
	return doctor.TURNSession{A: side(g.Sides.A), B: side(g.Sides.B)}
}

// maxGrant bounds what is read of a session, in bytes.
const maxGrant = 64 << 10

// readGrant reads a session as "turn session open" prints it.
func readGrant(file string, stdin io.Reader) (g client.TURNGrant, err error) {
	in := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return g, err
		}
		defer f.Close()
		in = f
	}
	if err := json.NewDecoder(io.LimitReader(in, maxGrant)).Decode(&g); err != nil {
		return g, fmt.Errorf(`%s holds no session as "signalbox turn session open -o json" prints it: %w`, file, err)
	}
	if g.Sides.A.Username == "" || g.Sides.B.Username == "" {
		return g, fmt.Errorf("%s has no credentials of both sides", file)
	}
	return g, nil
}
