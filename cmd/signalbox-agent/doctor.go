package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"signalbox/internal/agent"
	"signalbox/internal/agent/doctor"
)

func doctorCommand() *cobra.Command {
	var out output
	var idle time.Duration
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check this endpoint's installation and every way to the server, and say what is wrong and what to do",
		Long: "Checks the configuration, its files, the journal's directory and the clock, and climbs every way to the server that is configured or that DNS tells: name,\n" +
			"connection, proxy, TLS, stream, login. It logs in and binds no session, so an agent that runs beside it stays online; what lies behind the login is read\n" +
			"from that agent's status. Each line says ok, warning or wrong, what was found, and what to do; docs/AGENT.md explains the codes. Run it as the user that\n" +
			"runs the agent. Status 1 if anything is wrong, 0 with warnings alone, 78 if the configuration is wrong.\n" +
			"With --idle it holds a session and says nothing for as long, to see whether something on the way cuts silent connections; only where no agent runs.",
		Example: "  signalbox-agent doctor --config /etc/signalbox-agent.yaml\n" +
			"  signalbox-agent doctor --config /etc/signalbox-agent.yaml --idle 65s\n" +
			"  signalbox-agent doctor --config /etc/signalbox-agent.yaml -o json",
		Args: cobra.NoArgs,
	}
	s := newSettings(c)
	out.flag(c)
	c.Flags().DurationVar(&idle, "idle", 0, fmt.Sprintf("how long a session is held in silence, up to %v; 0: not at all", doctor.MostIdle))
	c.RunE = func(c *cobra.Command, _ []string) error {
		if idle < 0 || idle > doctor.MostIdle {
			return &exitError{exitUsage, fmt.Errorf("--idle %v: must be 0s to %v", idle, doctor.MostIdle)}
		}
		in := doctor.Installation{File: s.file, Idle: idle}
		in.Config, in.Err = agent.Load(s.file, s.given())
		checks := doctor.Examine(c.Context(), in)
		if err := c.Context().Err(); err != nil {
			return &exitError{exitFailed, fmt.Errorf("check the installation: %w", err)}
		}
		if err := out.print(c.OutOrStdout(), checks, func(w io.Writer) error { return writeChecks(w, checks) }); err != nil {
			return &exitError{exitFailed, err}
		}
		return verdict(in, checks)
	}
	return c
}

// verdict is the error that the findings end the program with.
func verdict(in doctor.Installation, checks []doctor.Check) error {
	if in.Err != nil {
		return &exitError{exitConfig, fmt.Errorf("the configuration is wrong")}
	}
	wrong := 0
	for _, c := range checks {
		if !c.OK {
			wrong++
		}
	}
	if wrong > 0 {
		return &exitError{exitFailed, fmt.Errorf("%d of %d checks found something wrong", wrong, len(checks))}
	}
	return nil
}

// writeChecks writes a line for each check, and below it what to do.
func writeChecks(w io.Writer, checks []doctor.Check) error {
	for _, c := range checks {
		state := "ok"
		switch {
		case !c.OK:
			state = "wrong"
		case c.Warning:
			state = "warning"
		}
		code := ""
		if c.Code != "" {
			code = " [" + c.Code + "]"
		}
		if _, err := fmt.Fprintf(w, "%-8s  %-7s  %s: %s%s\n", c.Step, state, c.Check, oneLine(c.Detail), code); err != nil {
			return err
		}
		if c.Action == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "%21sto do: %s\n", "", oneLine(c.Action)); err != nil {
			return err
		}
	}
	return nil
}
