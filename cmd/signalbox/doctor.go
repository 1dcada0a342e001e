package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"signalbox/internal/app"
	"signalbox/internal/client"
	"signalbox/internal/config"
	"signalbox/internal/doctor"
)

func doctorCommand() *cobra.Command {
	var s settings
	var out output
	var r remote
	var running bool
	c := &cobra.Command{
		Use:   "doctor [STEP...]",
		Short: "Check an installation step by step, and say what is wrong and what to do",
		Long: "Checks an installation step by step, beside a running server or before its first start, and changes nothing. The steps are " + stepList() + ", all if none is\n" +
			"named; the configuration is always checked. Each line says ok, warning or wrong, what was found, and what to do. Run it on the server's machine as the user\n" +
			"that runs the server. Status 1 if anything is wrong, 0 with warnings alone, 78 if the configuration cannot be read.\n" +
			"With --running the running server is asked over the HTTP API instead, which knows what it refused lately and what waits.",
		Example: "  signalbox doctor --config /etc/signalbox/signalbox.yaml\n" +
			"  signalbox doctor tls xmpp -o json\n" +
			"  signalbox doctor --running --url http://127.0.0.1:8080",
		Args:      checkSteps,
		ValidArgs: stepNames(),
		RunE: func(c *cobra.Command, args []string) error {
			if running {
				return r.call(c.Context(), func(ctx context.Context, api *client.Client) error {
					return examineRunning(ctx, api, c.OutOrStdout(), &out)
				})
			}
			src := s.source()
			in := doctor.Installation{File: src.File}
			in.Config, in.Warnings, in.Err = config.Load(src)
			if name := fileName(src); name != src.File {
				in.Warnings = append(in.Warnings, src.File+": does not exist; --config names another")
			}
			in.Running = announced(in.Config.DataDir)
			steps := make([]doctor.Step, len(args))
			for i, a := range args {
				steps[i] = doctor.Step(a)
			}
			checks := doctor.Examine(c.Context(), in, steps...)
			if err := c.Context().Err(); err != nil {
				return failed(fmt.Errorf("check the installation: %w", err))
			}
			if err := out.print(c.OutOrStdout(), checks, func(w io.Writer) error { return writeChecks(w, checks) }); err != nil {
				return failed(err)
			}
			return verdict(in, checks)
		},
	}
	s.flags(c)
	out.flag(c)
	r.flags(c)
	c.Flags().BoolVar(&running, "running", false, "ask the running server over the HTTP API")
	return c
}

// examineRunning asks the running server.
func examineRunning(ctx context.Context, api *client.Client, w io.Writer, out *output) error {
	told, err := api.Doctor(ctx)
	if err != nil {
		return err
	}
	checks := make([]doctor.Check, len(told))
	for i, c := range told {
		checks[i] = doctor.Check{Step: doctor.Step(c.Step), Check: c.Check, OK: c.OK, Warning: c.Warning, Detail: c.Detail, Action: c.Action}
	}
	if err := out.print(w, checks, func(w io.Writer) error { return writeChecks(w, checks) }); err != nil {
		return err
	}
	return verdict(doctor.Installation{}, checks)
}

// verdict is the error that the findings end the program with.
func verdict(in doctor.Installation, checks []doctor.Check) error {
	if in.Unreadable() {
		return marked(exitConfig, fmt.Errorf("the configuration cannot be read (%s)", in.File))
	}
	wrong := 0
	for _, c := range checks {
		if !c.OK {
			wrong++
		}
	}
	if wrong > 0 {
		return failed(fmt.Errorf("%d of %s found something wrong", wrong, plural(len(checks), "check")))
	}
	return nil
}

// checkSteps accepts names of steps.
func checkSteps(_ *cobra.Command, args []string) error {
	for _, a := range args {
		switch {
		case slices.Contains(stepNames(), a):
		case slices.Contains(doctor.Later(), a):
			return fmt.Errorf("%s: this version does not have that part yet; steps are %s", a, stepList())
		default:
			return fmt.Errorf("%q is no step; steps are %s", a, stepList())
		}
	}
	return nil
}

func stepNames() (names []string) {
	for _, s := range doctor.Steps() {
		names = append(names, string(s))
	}
	return names
}

func stepList() string { return strings.Join(stepNames(), ", ") }

// announced returns where a running server says that it listens; nil if none does, or if the file is not ours to read.
func announced(dataDir string) (addrs map[string][]string) {
	text, err := os.ReadFile(filepath.Join(dataDir, app.ReadyFile))
	if err != nil || json.Unmarshal(text, &addrs) != nil {
		return nil
	}
	return addrs
}

// writeChecks writes a line for each check, and below it what to do.
func writeChecks(w io.Writer, checks []doctor.Check) error {
	for _, c := range checks {
		if _, err := fmt.Fprintf(w, "%-6s  %-7s  %s: %s\n", c.Step, state(c), c.Check, oneLine(c.Detail)); err != nil {
			return err
		}
		if c.Action == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "%19s%s: %s\n", "", actionWord(c), oneLine(c.Action)); err != nil {
			return err
		}
	}
	return nil
}

func state(c doctor.Check) string {
	switch {
	case !c.OK:
		return "wrong"
	case c.Warning:
		return "warning"
	}
	return "ok"
}

func actionWord(c doctor.Check) string {
	if c.OK && !c.Warning {
		return "hint"
	}
	return "to do"
}

// oneLine keeps errors of several lines in theirs.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\t' }), "; ")
}
