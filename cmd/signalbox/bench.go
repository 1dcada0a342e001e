package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"signalbox/internal/bench"
	"signalbox/internal/client"
)

// benchRun is what the flags of bench say.
type benchRun struct {
	remote   remote
	out      output
	options  bench.Options
	profiles string
	xmppCA   string
}

func benchCommand() *cobra.Command {
	b := &benchRun{}
	c := &cobra.Command{
		Use:   "bench",
		Short: "Play endpoints and a management server, and report what that takes",
		Long: "Plays endpoints of several profiles (steady, flaky, half-open, slow), posts pushes to them, looks for the highest rate, cuts all connections at once, and reports\n" +
			"what the server took and how long things lasted, so that a machine can be sized before it is bought. Without --addr it starts a server of its own in a temporary\n" +
			"folder on this machine; with it, the endpoints that it registers there are deleted in the end. Try it on a laboratory's server, not on the one that people use.",
		Example: "  signalbox bench\n  signalbox bench --endpoints 10000 --profiles steady=100 --push-rate 100 --duration 1m -o json\n" +
			"  signalbox bench --url http://lab:8080 --addr lab.example.com:443 --domain xmpp.lab.example.com --xmpp-ca-file ca.crt",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return b.run(c) },
	}
	b.remote.flags(c)
	b.out.flag(c)
	f, o := c.Flags(), &b.options
	f.IntVar(&o.Endpoints, "endpoints", 1000, fmt.Sprintf("endpoints to play, 1 to %d", bench.MaxEndpoints))
	f.StringVar(&b.profiles, "profiles", "steady=90,flaky=5,half-open=3,slow=2", "percentages of endpoints by profile, 100 together")
	f.DurationVar(&o.Duration, "duration", 30*time.Second, "how long pushes are posted at the rate")
	f.Float64Var(&o.PushRate, "push-rate", 15, fmt.Sprintf("pushes per second, 0 to %d", bench.MaxRate))
	f.IntVar(&o.Payload, "payload", 200, fmt.Sprintf("bytes of a push's payload, 0 to %d", bench.MaxPayload))
	f.IntVar(&o.Callers, "callers", 256, fmt.Sprintf("callers that look for the highest rate of pushes, 0 (they do not) to %d", bench.MaxCallers))
	f.BoolVar(&o.Storm, "storm", true, "cut all connections at once in the end")
	f.StringVar(&o.Prefix, "prefix", "bench", "beginning of the endpoints' ids")
	f.StringVar(&o.Addr, "addr", "", "address of the server's listen.tls, host:port; empty: a server of its own is started")
	f.StringVar(&o.Domain, "domain", "", "domain of the server, with --addr")
	f.StringVar(&b.xmppCA, "xmpp-ca-file", "", "certificate authorities to trust for XMPP (PEM), with --addr; those of the system if not given")
	return c
}

func (b *benchRun) run(c *cobra.Command) (err error) {
	if b.options.Profiles, err = bench.ParseProfiles(b.profiles); err != nil {
		return marked(exitUsage, err)
	}
	if err := b.options.Validate(); err != nil {
		return marked(exitUsage, err)
	}
	b.options.Progress = func(format string, args ...any) { fmt.Fprintf(c.ErrOrStderr(), format+"\n", args...) }
	if b.options.Addr == "" {
		return failed(b.local(c))
	}
	if b.options.Domain == "" {
		return marked(exitUsage, errors.New("--domain is missing: the domain of the server at --addr"))
	}
	roots, err := trusted(b.xmppCA)
	if err != nil {
		return failed(err)
	}
	return b.remote.call(c.Context(), func(ctx context.Context, api *client.Client) error {
		return b.measure(ctx, c.OutOrStdout(), api, roots)
	})
}

// local measures a server that it starts in a temporary folder.
func (b *benchRun) local(c *cobra.Command) (err error) {
	q := &quickstart{once: true, out: c.ErrOrStderr(), err: c.ErrOrStderr()}
	if q.dir, err = openFolder(""); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.dir.close(true)) }()
	ctx, fail := context.WithCancelCause(c.Context())
	q.fail = fail
	defer q.fail(nil)
	defer q.stop()
	for _, step := range []func(context.Context) error{q.prepareServer, q.startServer} {
		if err := step(ctx); err != nil {
			return q.explain(ctx, err)
		}
	}
	roots, err := trusted(q.dir.path("ca.crt"))
	if err != nil {
		return err
	}
	b.options.Addr, b.options.Domain = q.addrs["tls"][0], demoDomain
	if err := b.measure(ctx, c.OutOrStdout(), q.api, roots); err != nil {
		return q.explain(ctx, err)
	}
	return nil
}

// measure runs the bench and prints its report, also one that is not complete.
func (b *benchRun) measure(ctx context.Context, w io.Writer, api *client.Client, roots *x509.CertPool) error {
	b.options.API = api
	b.options.TLS = &tls.Config{ServerName: b.options.Domain, RootCAs: roots, NextProtos: []string{"xmpp-client"}, MinVersion: tls.VersionTLS12}
	r, err := bench.Run(ctx, b.options)
	if r.Logins == nil {
		return err
	}
	return errors.Join(err, b.out.print(w, r, r.Write))
}

// trusted reads certificate authorities; nil stands for those of the system.
func trusted(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: no certificate in it", file)
	}
	return roots, nil
}
