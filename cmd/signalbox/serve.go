package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"signalbox/certs"
	"signalbox/internal/app"
	"signalbox/internal/notify"
)

func serveCommand() *cobra.Command {
	var s settings
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the server until it is interrupted",
		Long: "Runs the server until SIGINT or SIGTERM: then endpoints are told when to come back, over drain.period, and what they need to resume their sessions is\n" +
			"kept in data_dir. A second signal does not wait for anything, and keeps nothing. SIGHUP reads certificates and log level again and\n" +
			"names what else changed, which needs a restart. Logs go to standard error. A service manager that sets NOTIFY_SOCKET, as systemd does, is told how it is.\n" +
			"The file " + app.ReadyFile + " in data_dir says on which addresses the server listens while it does.\n" +
			"A mistake in the configuration or in the certificate bundle ends it with status 78.",
		Example: "  signalbox serve --config /etc/signalbox/signalbox.yaml\n" +
			"  signalbox serve --set domain=xmpp.example.com --set data_dir=/srv/signalbox --set certs.dir=/srv/certs",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return failed(serve(c, s)) },
	}
	s.flags(c)
	return c
}

func serve(c *cobra.Command, s settings) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // from the first moment: without this it would end the program
	defer signal.Stop(hangups)
	cfg, log, level, err := s.begin(c)
	if err != nil {
		return err
	}
	manager := notify.FromEnvironment(log)
	a, err := app.New(c.Context(), cfg, build(), log)
	if err != nil {
		return notStarted(err)
	}
	ctx, stop := context.WithCancel(c.Context())
	defer stop()
	running, end := context.WithCancel(context.WithoutCancel(ctx)) // until the server has ended
	defer end()
	var beside sync.WaitGroup
	r := reloader{settings: s, running: cfg, log: log, level: level, certs: a.Reload, manager: manager}
	beside.Go(func() { r.run(ctx, hangups) })
	beside.Go(func() { manager.Run(running, ctx, a) })
	beside.Go(func() { watchStop(ctx, running.Done(), cfg.Drain.Period+cfg.XMPP.ShutdownTimeout+cfg.Drain.ForceAfter) })
	err = a.Run(ctx)
	end()
	stop()
	beside.Wait()
	return err
}

// watchStop ends the process where the server has not ended within a limit from ctx being done.
func watchStop(ctx context.Context, ended <-chan struct{}, limit time.Duration) {
	select {
	case <-ctx.Done():
	case <-ended:
		return
	}
	over := time.NewTimer(limit)
	defer over.Stop()
	select {
	case <-over.C:
		fmt.Fprintf(os.Stderr, "signalbox: not stopped within %v: ended without waiting\n", limit)
		os.Exit(exitFailed)
	case <-ended:
	}
}

// notStarted tells mistakes in the configuration and in certificates, which are the operator's to mend, from what may pass by itself.
func notStarted(err error) error {
	var bundle certs.Errors
	var one *certs.Error
	if errors.As(err, &bundle) || errors.As(err, &one) || errors.Is(err, app.ErrConfig) {
		return marked(exitConfig, err)
	}
	return err
}
