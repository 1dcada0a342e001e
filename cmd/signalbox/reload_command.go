package main

import (
	"fmt"
	"syscall"

	"github.com/spf13/cobra"

	"signalbox/internal/datadir"
)

func reloadCommand() *cobra.Command {
	var s settings
	c := &cobra.Command{
		Use: "reload", Short: "Have the running server read certificates, secrets and log level again", Args: cobra.NoArgs,
		Long: "Checks the configuration, and has the server that runs with its data_dir read it again, as SIGHUP does: certificates, secrets of TURN and the log level count from then on;\n" +
			"what needs a restart is left alone and named in the server's log. With a mistake in the configuration the server is not asked, and the status is 78.\n" +
			"Run it as the user that runs the server, where it runs.",
		Example: "  signalbox reload --config /etc/signalbox/signalbox.yaml",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, _, err := s.load()
			if err != nil {
				return err
			}
			pid, err := datadir.Server(cfg.DataDir)
			if err != nil {
				return failed(err)
			}
			if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
				return failed(fmt.Errorf("ask process %d to reload: %w", pid, err))
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "process %d was asked to reload; its log says what it took\n", pid)
			return failed(err)
		},
	}
	s.flags(c)
	return c
}
