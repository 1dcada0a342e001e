package main

import (
	"context"
	"errors"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"signalbox/internal/notify"
	"signalbox/internal/telemetry"
	"signalbox/turn"
	"signalbox/turn/control"
)

func turnCommand() *cobra.Command {
	var s settings
	var supervised bool
	c := &cobra.Command{
		Use:   "turn",
		Short: "Run the TURN server alone, on a host of its own",
		Long: "Runs the TURN server alone until SIGINT or SIGTERM: on listen.turn, with the section turn of the configuration. Servers on other hosts control it at\n" +
			"turn.control.listen over mutual TLS; theirs have turn.control.url. Where turn.rest_secret_file is set, clients with credentials of other systems are served, too.\n" +
			"Where the TURN server runs on the same host, \"signalbox serve\" starts and supervises it, and nobody needs this command. Logs go to standard error; a service manager that sets\n" +
			"NOTIFY_SOCKET, as systemd does, is told how it is.\n" +
			"A mistake in the configuration ends it with status 78.",
		Example: "  signalbox turn --config /etc/signalbox/signalbox.yaml\n" +
			"  signalbox turn --config turn.yaml --set turn.public_ip=203.0.113.5 --set turn.control.listen=10.0.5.3:3479",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			signal.Ignore(syscall.SIGHUP) // there is nothing to read again: certificates are, by themselves
			if supervised {
				return failed(turnSupervised(c))
			}
			return failed(turnAlone(c, s))
		},
	}
	s.flags(c)
	c.Flags().BoolVar(&supervised, control.SupervisedFlag, false, "started by serve, with its sockets and a control connection")
	_ = c.Flags().MarkHidden(control.SupervisedFlag) // fails only for a flag that is not there
	c.AddCommand(turnSessionCommand())
	return c
}

// turnSupervised is the child of serve.
func turnSupervised(c *cobra.Command) error {
	in, err := control.Inherit()
	if err != nil {
		return err
	}
	log, _, err := telemetry.NewLogger(telemetry.LogConfig{Level: in.Settings.LogLevel, Format: in.Settings.LogFormat}, c.ErrOrStderr())
	if err != nil {
		return errors.Join(marked(exitConfig, err), in.Close())
	}
	tuneMemory()
	return turnFailed(turn.Supervised(c.Context(), in, log, telemetry.NewRegistry(build().Version)))
}

// turnStopTimeout is how long a TURN server that runs alone may take to stop: nothing of it waits for anybody.
const turnStopTimeout = 20 * time.Second

func turnAlone(c *cobra.Command, s settings) error {
	cfg, log, _, err := s.begin(c)
	if err != nil {
		return err
	}
	alone := turn.NewAlone(turn.AloneConfig{Config: cfg.TURN.Own, Listen: cfg.Listen.TURN, TLS: cfg.Listen.TLS}, log, telemetry.NewRegistry(build().Version))
	running, end := context.WithCancel(context.WithoutCancel(c.Context())) // until the server has ended
	var beside sync.WaitGroup
	beside.Go(func() { notify.FromEnvironment(log).Run(running, c.Context(), alone) })
	beside.Go(func() { watchStop(c.Context(), running.Done(), turnStopTimeout) })
	err = alone.Run(c.Context())
	end()
	beside.Wait()
	return turnFailed(err)
}

// turnFailed gives mistakes in the configuration their own status.
func turnFailed(err error) error {
	if errors.Is(err, turn.ErrConfig) {
		return marked(exitConfig, err)
	}
	return err
}
