package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"signalbox/internal/agent"
)

func configCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "config", Short: "The agent's configuration: check", Example: "  signalbox-agent config check --config /etc/signalbox-agent/agent.yaml",
		Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(configCheckCommand())
	return c
}

func configCheckCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "check", Short: "Read and validate the configuration, and name every mistake",
		Long: "Reads the configuration and the files that it names as run does, and names every mistake. Status 78 if there is one. Whether the server can be reached says\n" +
			"\"signalbox-agent doctor\".",
		Example: "  signalbox-agent config check --config /etc/signalbox-agent/agent.yaml", Args: cobra.NoArgs,
	}
	s := newSettings(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := agent.Load(s.file, s.given())
		if err == nil {
			_, err = newAgent(cfg, zap.NewNop())
		}
		if err != nil {
			return &exitError{exitConfig, err}
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "%s: ok\n", s.file)
		return err
	}
	return c
}
