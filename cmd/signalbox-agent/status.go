package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"signalbox/internal/agent"
	"signalbox/internal/agent/status"
)

func statusCommand() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use:   "status",
		Short: "Say whether the agent on this machine is online, through what, and why not",
		Long: "Reads what the agent that runs here says of itself: since when it is online and through what, the newest failure with its code and what to do, the newest\n" +
			"attempts, what waits. Status 0 if it is online, 1 if it is not or does not run. Run it as the user that runs the agent.",
		Example: "  signalbox-agent status --config /etc/signalbox-agent.yaml\n" +
			"  signalbox-agent status --state-dir /var/lib/signalbox-agent -o json",
		Args: cobra.NoArgs,
	}
	s := newSettings(c)
	out.flag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := agent.Load(s.file, s.given())
		if cfg.StateDir == "" { // other mistakes do not matter here
			return &exitError{exitConfig, errors.Join(errors.New("state_dir: is not known; set --config or --state-dir"), err)}
		}
		st, err := agent.ReadStatus(cfg.StateDir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return &exitError{exitFailed, fmt.Errorf("no agent has run with state_dir %s", cfg.StateDir)}
		case err != nil:
			return &exitError{exitFailed, err}
		}
		if err := out.print(c.OutOrStdout(), st, func(w io.Writer) error { return writeStatus(w, st, time.Now()) }); err != nil {
			return &exitError{exitFailed, err}
		}
		switch {
		case !st.Running:
			return &exitError{exitFailed, errors.New("the agent does not run")}
		case st.State != status.Online:
			return &exitError{exitFailed, errors.New("the agent is not online")}
		}
		return nil
	}
	return c
}

// writeStatus writes a table for people.
func writeStatus(w io.Writer, s status.Status, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(t, name+"\t"+format+"\n", args...) }
	line("endpoint", "%s", s.Endpoint)
	switch {
	case !s.Running:
		line("state", "does not run; last seen %s", s.Updated.Format(time.RFC3339))
	default:
		line("state", "%s since %s (%v)", s.State, s.Since.Format(time.RFC3339), now.Sub(s.Since).Round(time.Second))
		line("process", "%d, version %s, since %s", s.PID, s.Version, s.Started.Format(time.RFC3339))
	}
	if th := s.Through; th != nil {
		name := "through"
		if !s.Running || s.State != status.Online {
			name = "last through"
		}
		how := th.TLS
		if th.WebSocket {
			how += ", WebSocket"
		}
		line(name, "%s at %s, %s, %s; asks every %s", th.Address, th.Remote, th.Via, how, th.Keepalive)
		line("session", "%s", th.JID)
		if th.Intercepted {
			line("", "something on the way opens TLS and reads what passes, which interception: allow_and_flag lets it")
		}
	}
	if s.LastOnline != nil && s.State != status.Online {
		line("last online", "%s", s.LastOnline.Format(time.RFC3339))
	}
	if s.Running && s.NextAttempt != nil {
		line("next attempt", "in %v", max(0, s.NextAttempt.Sub(now)).Round(time.Second))
	}
	line("pushes", "%d wait or are handled, %d handlers run, %d results are not at the server for good", s.Pushes.Waiting, s.Pushes.Running, s.Pushes.Results)
	if f := s.LastFailure; f != nil {
		line("newest failure", "%s  %s: %s [%s]", f.At.Format(time.RFC3339), f.Step, f.Text, f.Code)
		if f.Detail != "" {
			line("", "%s", oneLine(f.Detail))
		}
		line("", "to do: %s", f.Action)
	}
	for i, a := range s.Attempts {
		name := ""
		if i == 0 {
			name = "attempts"
		}
		outcome := a.Code
		if outcome == "" {
			outcome = "session"
		}
		line(name, "%s  %s: %s, after %d ms", a.At.Format(time.RFC3339), a.Route, outcome, a.TookMS)
	}
	return t.Flush()
}
