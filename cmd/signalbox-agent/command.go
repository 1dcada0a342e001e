package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"signalbox/internal/agent"
	"signalbox/internal/agent/local"
	"signalbox/internal/telemetry"
)

// Exit codes of SPEC section 2.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitConfig = 78
)

// exitError is an error of a command that was used rightly.
type exitError struct {
	code int
	err  error
}

// Error returns the cause.
func (e *exitError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *exitError) Unwrap() error { return e.err }

// exitCode returns the status to end with. Whatever no command said itself is cobra's, so it is about the command line.
func exitCode(err error) int {
	var e *exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &e):
		return e.code
	}
	return exitUsage
}

func newCommand(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:           "signalbox-agent",
		Short:         "The endpoint's side of Signalbox",
		Example:       "  signalbox-agent run --config /etc/signalbox-agent.yaml",
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.AddCommand(runCommand(stderr), enrollCommand(), installCommand(), uninstallCommand(), sessionCommand(), dialogCommand(), configCommand(), doctorCommand(), statusCommand(), versionCommand())
	return root
}

func runCommand(stderr io.Writer) *cobra.Command {
	var ready string
	c := &cobra.Command{
		Use:   "run",
		Short: "Keep a session with the server and handle pushes until interrupted",
		Long: "Keeps a session with the server and handles pushes until it is interrupted. The log line \"online\" says that the session is bound.\n" +
			"Flags override the file; with enough of them there need not be one.",
		Example: "  signalbox-agent run --config /etc/signalbox-agent.yaml\n" +
			"  signalbox-agent run --id pc-1 --domain example.org --secret-file secret --state-dir state --address localhost:8443 --ca-file ca.pem",
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&ready, "ready-file", "", "file that exists while the agent is online (JSON)")
	s := newSettings(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := agent.Load(s.file, s.given())
		if err != nil {
			return &exitError{exitConfig, err}
		}
		return run(c, s.file, cfg, ready, stderr)
	}
	return c
}

func run(c *cobra.Command, file string, cfg agent.Config, ready string, stderr io.Writer) error {
	log, _, err := telemetry.NewLogger(cfg.Log, stderr)
	if err != nil {
		return &exitError{exitConfig, err}
	}
	asked, err := users(log)
	if err != nil {
		return &exitError{exitFailed, err}
	}
	a, err := newAgent(cfg, log, agent.WithReadyFile(ready), agent.WithConsent(asked))
	if err != nil {
		return &exitError{exitConfig, err}
	}
	socket := local.Options{Path: local.Place(cfg.LocalSocket, cfg.StateDir), Agent: reachable{a}, Present: asked.Present, Log: log.Named("local")}
	if err := serveAs(c.Context(), file, func(ctx context.Context) error { return runReachable(ctx, a, socket, log) }); err != nil {
		return &exitError{exitFailed, err}
	}
	return nil
}

// newAgent makes an agent with all that this endpoint can do. Every error is a mistake in the configuration or in a file that it names.
func newAgent(cfg agent.Config, log *zap.Logger, opts ...agent.Option) (*agent.Agent, error) {
	able, err := capabilities(cfg)
	if err != nil {
		return nil, err
	}
	return agent.New(cfg, version(), log, append(opts, agent.WithCapabilities(able...))...)
}

func versionCommand() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  signalbox-agent version -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return out.print(c.OutOrStdout(), map[string]string{"version": version(), "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH},
				func(w io.Writer) error {
					_, err := fmt.Fprintln(w, version())
					return err
				})
		},
	}
	out.flag(c)
	return c
}

// version returns what the toolchain knows of this build.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
