package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"signalbox/internal/agent"
	"signalbox/internal/agent/enrol"
	"signalbox/internal/agent/local"
	"signalbox/internal/notify"
	"signalbox/internal/telemetry"
)

// sessionCommand is for users at the endpoint, who can read neither configuration nor state: it needs no more than the socket, and works while the server cannot be reached, too.
func sessionCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "session",
		Short: "Remote sessions that run on this computer",
		Long: "Shows and ends remote sessions, also while the server cannot be reached. Whoever is logged in at this computer may, and root and the agent's user. Without --config, --state-dir or\n" +
			"--local-socket it is about the agent that is installed here.",
		Example: "  signalbox-agent session list\n  signalbox-agent session list --state-dir state",
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

// runReachable runs the agent, serves its socket and tells the service manager of it as long. The socket waits for the lock on the state, which says that no other agent has both.
func runReachable(ctx context.Context, a *agent.Agent, socket local.Options, log *zap.Logger) error {
	ctx, stop := context.WithCancel(ctx)
	running, end := context.WithCancel(context.WithoutCancel(ctx)) // until the agent has ended
	var beside sync.WaitGroup
	beside.Go(func() {
		select {
		case <-a.Ready():
		case <-ctx.Done():
			return
		}
		if err := local.Serve(ctx, socket); err != nil {
			log.Warn("users at this computer do not reach the agent and cannot end remote sessions by it", telemetry.Cause(err))
		}
	})
	beside.Go(func() { notify.FromEnvironment(log).Run(running, ctx, a) })
	err := a.Run(ctx)
	end()
	stop()
	beside.Wait()
	return err
}

// socket returns where the agent has its socket that the flags name; without any, the one that is installed here.
func (s *settings) socket() (string, error) {
	given := s.given()
	if s.file == "" && len(given) == 0 {
		return local.Place("", filepath.Join(defaultConfigDir(), enrol.StateDir)), nil
	}
	cfg, err := agent.Load(s.file, given)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "", fmt.Errorf("%w: leave --config out for the agent that is installed here, or name its socket by --local-socket", err)
	case cfg.StateDir == "" && cfg.LocalSocket == "": // other mistakes do not matter here
		return "", errors.Join(errors.New("state_dir: is not known; set --config, --state-dir or --local-socket"), err)
	}
	return local.Place(cfg.LocalSocket, cfg.StateDir), nil
}

func sessionListCommand() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "list", Short: "Who is connected to this computer", Example: "  signalbox-agent session list", Args: cobra.NoArgs,
	}
	s := newSettings(c)
	out.flag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		path, err := s.socket()
		if err != nil {
			return &exitError{exitConfig, err}
		}
		all, err := local.Sessions(c.Context(), path)
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
		Use: "end SESSION", Short: "End a remote session at once", Example: "  signalbox-agent session end ses_0123456789abc", Args: cobra.ExactArgs(1),
	}
	s := newSettings(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		path, err := s.socket()
		if err != nil {
			return &exitError{exitConfig, err}
		}
		if err := local.End(c.Context(), path, args[0]); err != nil {
			if errors.Is(err, local.ErrUnknown) {
				err = fmt.Errorf("%s: %w", args[0], err)
			}
			return &exitError{exitFailed, err}
		}
		return nil
	}
	return c
}
