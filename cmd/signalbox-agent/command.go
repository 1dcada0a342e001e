package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"signalbox/internal/agent"
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
	root.AddCommand(runCommand(stderr), versionCommand())
	return root
}

func runCommand(stderr io.Writer) *cobra.Command {
	var config, ready string
	c := &cobra.Command{
		Use:   "run",
		Short: "Keep a session with the server and handle pushes until interrupted",
		Long: "Keeps a session with the server and handles pushes until it is interrupted. The log line \"online\" says that the session is bound.\n" +
			"Flags override the file; with enough of them there need not be one.",
		Example: "  signalbox-agent run --config /etc/signalbox-agent.yaml\n" +
			"  signalbox-agent run --id pc-1 --domain example.org --secret-file secret --state-dir state --address localhost:8443 --ca-file ca.pem",
		Args: cobra.NoArgs,
	}
	f := c.Flags()
	f.StringVar(&config, "config", "", "configuration file (YAML)")
	f.StringVar(&ready, "ready-file", "", "file that exists while the agent is online (JSON)")
	s := settings{command: c}
	s.text("id", "id", "endpoint id")
	s.text("domain", "domain", "domain of the JID")
	s.text("secret-file", "secret_file", "file with the endpoint's secret")
	s.list("address", "addresses", "address of the server as host:port; may be repeated")
	s.text("ca-file", "ca_file", "certificate authorities to trust (PEM)")
	s.text("state-dir", "state_dir", "directory of the journal")
	s.text("log-level", "log.level", "debug, info, warn or error")
	s.text("log-format", "log.format", "json or console")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := agent.Load(config, s.given())
		if err != nil {
			return &exitError{exitConfig, err}
		}
		return run(c, cfg, ready, stderr)
	}
	return c
}

func run(c *cobra.Command, cfg agent.Config, ready string, stderr io.Writer) error {
	log, _, err := telemetry.NewLogger(cfg.Log, stderr)
	if err != nil {
		return &exitError{exitConfig, err}
	}
	a, err := agent.New(cfg, version(), log, agent.WithReadyFile(ready))
	if err != nil {
		return &exitError{exitConfig, err}
	}
	if err := a.Run(c.Context()); err != nil {
		return &exitError{exitFailed, err}
	}
	return nil
}

// settings collects flags that stand for keys of the configuration.
type settings struct {
	command *cobra.Command
	values  []func(into map[string]any)
}

func (s *settings) text(flag, key, usage string) {
	v := s.command.Flags().String(flag, "", usage)
	s.add(flag, func(m map[string]any) { m[key] = *v })
}

func (s *settings) list(flag, key, usage string) {
	v := s.command.Flags().StringArray(flag, nil, usage)
	s.add(flag, func(m map[string]any) {
		items := make([]any, len(*v))
		for i, item := range *v {
			items[i] = item
		}
		m[key] = items
	})
}

func (s *settings) add(flag string, set func(map[string]any)) {
	s.values = append(s.values, func(m map[string]any) {
		if s.command.Flags().Changed(flag) {
			set(m)
		}
	})
}

// given returns the keys whose flags were used.
func (s *settings) given() map[string]any {
	m := map[string]any{}
	for _, set := range s.values {
		set(m)
	}
	return m
}

func versionCommand() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  signalbox-agent version -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch format {
			case "text":
				fmt.Fprintln(c.OutOrStdout(), version())
				return nil
			case "json":
				return json.NewEncoder(c.OutOrStdout()).Encode(map[string]string{
					"version": version(), "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH})
			}
			return fmt.Errorf("output %q is neither text nor json", format)
		},
	}
	c.Flags().StringVarP(&format, "output", "o", "text", "text or json")
	return c
}

// version returns what the toolchain knows of this build.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
