package main

import (
	"os"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"signalbox/internal/agent/consent"
	"signalbox/internal/agent/consent/dialog"
)

// dialogCommand is what the agent starts in a user's session. Nobody else has a use for it.
func dialogCommand() *cobra.Command {
	return &cobra.Command{
		Use: consent.Argument, Hidden: true, Args: cobra.NoArgs,
		Short:   "Show the user a question of the agent's, which comes on standard input",
		Example: "  signalbox-agent " + consent.Argument + " <question.json",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := dialog.Main(c.InOrStdin(), c.OutOrStdout()); err != nil {
				return &exitError{exitFailed, err}
			}
			return nil
		},
	}
}

// users asks whoever is logged in, by windows that this very program shows.
func users(log *zap.Logger) (*consent.Users, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return consent.New(program, log), nil
}
