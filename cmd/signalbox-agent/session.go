package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"signalbox/internal/agent"
	"signalbox/internal/agent/local"
	"signalbox/internal/notify"
	"signalbox/internal/telemetry"
)

// sessionCommand is for the user at the endpoint: it works while the server cannot be reached, too.
func sessionCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "session",
		Short:   "Remote sessions that run on this computer",
		Example: "  signalbox-agent session list --state-dir /var/lib/signalbox-agent",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(sessionListCommand(), sessionEndCommand())
	return c
}

// reachable is the agent as others on this computer reach it.
type reachable struct{ *agent.Agent }

// LocalSessions implements local.Agent.
func (r reachable) LocalSessions() (all []local.Session) {
	for _, s := range r.RemoteSessions() {
		all = append(all, local.Session{
			ID: s.ID, Technician: s.Technician.Name, Why: s.Why, Kinds: s.Kinds, Began: s.Began, Expires: s.Expires, Accepted: s.Accepted,
		})
	}
	return all
}

// runReachable runs the agent, serves its socket and tells the service manager of it as long.
func runReachable(ctx context.Context, a *agent.Agent, stateDir string, log *zap.Logger) error {
	ctx, stop := context.WithCancel(ctx)
	running, end := context.WithCancel(context.WithoutCancel(ctx)) // until the agent has ended
	var beside sync.WaitGroup
	beside.Go(func() {
		if err := local.Serve(ctx, stateDir, reachable{a}); err != nil {
			log.Warn("nobody at this computer reaches the agent", telemetry.Cause(err))
		}
	})
	beside.Go(func() { notify.FromEnvironment(log).Run(running, ctx, a) })
	err := a.Run(ctx)
	end()
	stop()
	beside.Wait()
	return err
}

func sessionListCommand() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "list", Short: "Who is connected to this computer", Example: "  signalbox-agent session list --config /etc/signalbox-agent.yaml", Args: cobra.NoArgs,
	}
	s := newSettings(c)
	out.flag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := agent.Load(s.file, s.given())
		if err != nil {
			return &exitError{exitConfig, err}
		}
		all, err := local.Sessions(c.Context(), cfg.StateDir)
		if err != nil {
			return &exitError{exitFailed, err}
		}
		return out.print(c.OutOrStdout(), all, func(w io.Writer) error { return printSessions(w, all) })
	}
	return c
}

func printSessions(w io.Writer, all []local.Session) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SESSION\tTECHNICIAN\tWHAT FOR\tSINCE\tREASON")
	for _, s := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", s.ID, s.Technician, strings.Join(s.Kinds, ","), s.Began.Local().Format(time.DateTime), s.Why)
	}
	return table.Flush()
}

func sessionEndCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "end SESSION", Short: "End a remote session at once", Example: "  signalbox-agent session end ses_0123456789abc --config /etc/signalbox-agent.yaml", Args: cobra.ExactArgs(1),
	}
	s := newSettings(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		cfg, err := agent.Load(s.file, s.given())
		if err != nil {
			return &exitError{exitConfig, err}
		}
		if err := local.End(c.Context(), cfg.StateDir, args[0]); err != nil {
			if errors.Is(err, local.ErrUnknown) {
				err = fmt.Errorf("%s: %w", args[0], err)
			}
			return &exitError{exitFailed, err}
		}
		return nil
	}
	return c
}
