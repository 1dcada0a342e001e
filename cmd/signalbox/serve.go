package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"signalbox/certs"
	"signalbox/internal/app"
	"signalbox/internal/telemetry"
)

func serveCommand() *cobra.Command {
	var s settings
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the server until it is interrupted",
		Long: "Runs the server until SIGINT or SIGTERM; a second signal does not wait for sessions to close. SIGHUP reads certificates and log level again and\n" +
			"names what else changed, which needs a restart. Logs go to standard error.\n" +
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
	cfg, warnings, err := s.load()
	if err != nil {
		return err
	}
	log, level, err := telemetry.NewLogger(cfg.Log, c.ErrOrStderr())
	if err != nil {
		return marked(exitConfig, err)
	}
	log.Info("starting", telemetry.Version(build().Version), telemetry.File(s.source().File))
	for _, w := range warnings {
		log.Warn("configuration", telemetry.Detail(w))
	}
	tuneMemory()
	a, err := app.New(c.Context(), cfg, build(), log)
	if err != nil {
		return notStarted(err)
	}
	ctx, stop := context.WithCancel(c.Context())
	defer stop()
	var reloading sync.WaitGroup
	r := reloader{settings: s, running: cfg, log: log, level: level, certs: a.Reload}
	reloading.Go(func() { r.run(ctx, hangups) })
	err = a.Run(ctx)
	stop()
	reloading.Wait()
	return err
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
