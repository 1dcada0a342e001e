package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"signalbox/internal/client"
)

// Bounds of a quickstart.
const (
	startTimeout = 30 * time.Second // of each program
	pushTimeout  = 30 * time.Second
	agentGrace   = 5 * time.Second // from SIGTERM to SIGKILL
	serverGrace  = 10 * time.Second
)

// quickstart is one demonstration: a server and an agent as processes of their own, and a push from one to the other.
type quickstart struct {
	once      bool
	agentPath string // empty: looked for
	out, err  io.Writer

	dir      folder
	fail     context.CancelCauseFunc // ends the quickstart because of an error
	token    string
	password string              // of demoTechnician
	addrs    map[string][]string // of the server
	api      *client.Client
	server   *child
	agent    *child
}

func quickstartCommand() *cobra.Command {
	q := &quickstart{}
	var dir string
	c := &cobra.Command{
		Use:   "quickstart",
		Short: "Show a push from the HTTP API to an endpoint and back, on this machine alone",
		Long: "Makes a development CA, starts the server on free loopback ports and one agent, each as its own process, registers the endpoint, posts a push over\n" +
			"HTTP and prints its states until the endpoint has handled it. Then it runs on until it is interrupted, to be played with. It needs no root, no network\n" +
			"and writes nothing outside its folder.",
		Example: "  signalbox quickstart\n  signalbox quickstart --once\n  signalbox quickstart --dir ./demo",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			q.out, q.err = c.OutOrStdout(), c.ErrOrStderr()
			return failed(q.in(c.Context(), dir))
		},
	}
	c.Flags().BoolVar(&q.once, "once", false, "end when the push is handled: status 0; or with the reason why it was not")
	c.Flags().StringVar(&dir, "dir", "", "folder for everything, kept; a temporary one if not given, which --once removes at the end")
	c.Flags().StringVar(&q.agentPath, "agent", "", "program of the agent; if not given, signalbox-agent beside this program, or built from source where that is at hand")
	return c
}

// in runs the quickstart in a folder that is its own while it runs.
func (q *quickstart) in(ctx context.Context, dir string) (err error) {
	if q.dir, err = openFolder(dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.dir.close(dir == "" && q.once)) }()
	fmt.Fprintf(q.out, "Signalbox quickstart in %s\n", q.dir.path())
	ctx, q.fail = context.WithCancelCause(ctx)
	defer q.fail(nil)
	defer q.stop()
	if err := q.show(ctx); err != nil {
		return q.explain(ctx, err)
	}
	if q.once {
		return nil
	}
	if err := q.invite(ctx); err != nil {
		return q.explain(ctx, err)
	}
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return q.explain(ctx, cause)
	}
	return nil
}

// show goes from nothing to a push that is handled.
func (q *quickstart) show(ctx context.Context) error {
	for _, step := range []func(context.Context) error{q.prepare, q.startServer, q.register, q.startAgent, q.push, q.makeTechnician} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// stop ends the programs, the agent first so that the server has nobody to wait for.
func (q *quickstart) stop() {
	q.agent.stop(agentGrace)
	q.server.stop(serverGrace)
	if q.api != nil {
		q.api.Close()
	}
}

// explain says why it did not work, and shows what the programs said last.
func (q *quickstart) explain(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, context.Canceled) {
		return errors.New("interrupted before the push was handled")
	}
	if cause != nil {
		err = cause // what else failed, failed because of it
	}
	for _, c := range []*child{q.server, q.agent} {
		c.tail(q.err)
	}
	return err
}

// invite says what can be done with the running server.
func (q *quickstart) invite(ctx context.Context) error {
	link, err := q.api.LinkTechnician(ctx, demoTechnician)
	if err != nil {
		return fmt.Errorf("make a link to the console: %w", err)
	}
	fmt.Fprintf(q.out, "\nConsole for technicians: a terminal on %s, its files and processes\n  %s\n", demoEndpoint, link.URL)
	fmt.Fprintf(q.out, "  The link signs in once, within a minute; later the name is %s, the password %s.\n", demoTechnician, q.password)
	fmt.Fprintf(q.out, "  Browsers do not know the development CA: import %s, or accept the warning.\n", q.dir.path("ca.crt"))
	fmt.Fprintf(q.out, "\nDocumentation of the API\n  %s/docs\n\nSend another push\n", q.url())
	fmt.Fprintf(q.out, "  curl -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' \\\n    -d '{\"to\":\"%s\",\"type\":\"%s\",\"payload\":{\"n\":2},\"ack\":\"handled\"}' %s/v1/pushes\n",
		q.token, demoEndpoint, demoType, q.url())
	fmt.Fprintf(q.out, "\nCtrl-C ends it.\n")
	return nil
}

func (q *quickstart) url() string { return "http://" + q.addrs["api"][0] }
