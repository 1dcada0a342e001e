package main

import (
	"io"

	"github.com/spf13/cobra"
)

func newCommand(stdout, stderr io.Writer) *cobra.Command {
	root := group("signalbox", "Push and remote-control server for endpoints",
		"  signalbox quickstart --once\n  signalbox serve --config /etc/signalbox/signalbox.yaml",
		quickstartCommand(), benchCommand(),
		serveCommand(), turnCommand(), reloadCommand(),
		configCommand(),
		doctorCommand(), healthCommand(),
		certsCommand(),
		tokenCommand(), technicianCommand(),
		endpointCommand(),
		enrolmentCommand(),
		pushCommand(),
		eventsCommand(),
		campaignCommand(),
		sessionCommand(),
		auditCommand(),
		webhookCommand(),
		drainCommand(),
		backupCommand(), restoreCommand(), supportCommand(),
		versionCommand(),
	)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetOut(stdout)
	root.SetErr(stderr)
	return root
}

// group is a command that only has commands below it. Without one it shows its help.
func group(use, short, example string, below ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Example: example, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(below...)
	return c
}
