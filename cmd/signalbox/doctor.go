package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"signalbox/internal/client"
	"signalbox/internal/doctor"
)

func doctorCommand() *cobra.Command {
	var s settings
	var o doctorOptions
	var running bool
	c := &cobra.Command{
		Use:   "doctor [STEP...]",
		Short: "Check an installation step by step, and say what is wrong and what to do",
		Long: "Checks an installation step by step, beside a running server or before its first start, and changes nothing. The steps are " + stepList() + ", all if none is\n" +
			"named; the configuration is always checked. Each line says ok, warning or wrong, what was found, and what to do; docs/DOCTOR.md explains the codes. Run it on the\n" +
			"server's machine as the user that runs the server. Status 1 if anything is wrong, 0 with warnings alone, 78 if the configuration cannot be read.\n" +
			"With --from outside it runs on another machine, and looks at the server as endpoints see it. The step turn makes allocations and relays through each way if it has an\n" +
			"API token, which opens a session for a minute, or a session that was opened on the server.\n" +
			"With --running the running server is asked over the HTTP API instead, which knows what it refused lately and what waits.",
		Example: "  signalbox doctor --config /etc/signalbox/signalbox.yaml\n" +
			"  signalbox doctor tls xmpp -o json\n" +
			"  signalbox doctor dns --role endpoint --dns 10.0.0.53\n" +
			"  signalbox doctor --from outside --set domain=xmpp.example.com --turn-session session.json\n" +
			"  signalbox doctor --running --url http://127.0.0.1:8080",
		Args:      checkSteps,
		ValidArgs: stepNames(),
		RunE: func(c *cobra.Command, args []string) error {
			if running {
				return o.remote.call(c.Context(), func(ctx context.Context, api *client.Client) error {
					return examineRunning(ctx, api, c.OutOrStdout(), &o.out)
				})
			}
			in, err := o.installation(s.source(), args, c.InOrStdin())
			if err != nil {
				return err
			}
			return examine(c.Context(), in, args, c.OutOrStdout(), &o.out)
		},
	}
	s.flags(c)
	o.flags(c)
	c.Flags().BoolVar(&running, "running", false, "ask the running server over the HTTP API")
	return c
}

// examine looks at an installation.
func examine(ctx context.Context, in doctor.Installation, args []string, w io.Writer, out *output) error {
	steps := make([]doctor.Step, len(args))
	for i, a := range args {
		steps[i] = doctor.Step(a)
	}
	checks := doctor.Examine(ctx, in, steps...)
	if err := ctx.Err(); err != nil {
		return failed(fmt.Errorf("check the installation: %w", err))
	}
	if err := out.print(w, checks, func(w io.Writer) error { return writeChecks(w, checks) }); err != nil {
		return failed(err)
	}
	return verdict(in, checks)
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
