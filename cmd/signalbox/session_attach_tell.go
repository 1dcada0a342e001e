package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"signalbox/internal/channel"
	channels "signalbox/internal/channel/client"
	"signalbox/internal/signalling"
	"signalbox/internal/viewer"
)

// teller says on a terminal how a session is, as long as that is news.
type teller struct {
	w    io.Writer
	last string
}

func (t *teller) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if text != t.last {
		fmt.Fprintf(printable{t.w}, "[%s]", text)
		fmt.Fprint(t.w, "\r\n") // the terminal may be raw
		t.last = text
	}
}

// state tells of what the technician waits for.
func (t *teller) state(s signalling.State) {
	switch s.State {
	case "requested":
		t.say("waiting for %s", s.Endpoint)
	case "waiting_for_consent":
		t.say("the user at %s is asked", s.Endpoint)
	case "reconnecting":
		t.say("waiting for a lost connection")
	}
}

// path tells by which way the endpoint is reached.
func (t *teller) path(p signalling.Path) {
	switch p.Rung {
	case "":
	case signalling.RungRelay:
		t.say("connected over the relay, which can read what passes")
	default:
		t.say("connected: %s", p.Rung)
	}
}

// processes lists those of the endpoint.
func (a *sessionAttach) processes(ctx context.Context, v *viewer.Viewer, c *cobra.Command, _ []string) error {
	conn, err := v.Open(ctx, channel.Processes)
	if err != nil {
		return err
	}
	p := channels.NewProcesses(conn)
	defer p.Close() //nolint:errcheck // the session ends
	all, err := p.List(ctx)
	if err != nil {
		return err
	}
	return a.out.print(c.OutOrStdout(), all, func(w io.Writer) error { return writeProcesses(w, all) })
}

func writeProcesses(w io.Writer, all []channel.Process) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PID\tUSER\tCPU%\tMIB\tSTARTED\tCOMMAND")
	for _, p := range all {
		command := p.Command
		if command == "" {
			command = "[" + p.Name + "]"
		}
		fmt.Fprintf(t, "%d\t%s\t%.1f\t%d\t%s\t%s\n", p.PID, p.User, p.CPU, p.Memory>>20, timeText(p.Started), command)
	}
	return t.Flush()
}

// info shows what the endpoint is.
func (a *sessionAttach) info(ctx context.Context, v *viewer.Viewer, c *cobra.Command, _ []string) error {
	conn, err := v.Open(ctx, channel.System)
	if err != nil {
		return err
	}
	s := channels.NewSystem(conn)
	defer s.Close() //nolint:errcheck // the session ends
	is, err := s.Info(ctx)
	if err != nil {
		return err
	}
	return a.out.print(c.OutOrStdout(), is, func(w io.Writer) error { return writeSystem(w, is) })
}

func writeSystem(w io.Writer, s channel.SystemInfo) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "hostname\t%s\nsystem\t%s\nkernel\t%s\n", s.Hostname, strings.Join([]string{s.OS, s.Platform, s.Version, s.Arch}, " "), s.Kernel)
	fmt.Fprintf(t, "processors\t%d %s\nmemory\t%d of %d MiB free\n", s.CPUs, s.CPUModel, s.MemoryFree>>20, s.MemoryTotal>>20)
	fmt.Fprintf(t, "up since\t%s (%s)\n", timeText(s.Boot), time.Duration(s.Uptime)*time.Second)
	for _, d := range s.Disks {
		fmt.Fprintf(t, "disk %s\t%d of %d MiB free\n", d.Path, d.Free>>20, d.Total>>20)
	}
	for _, i := range s.Interfaces {
		fmt.Fprintf(t, "network %s\t%s\n", i.Name, strings.Join(i.Addresses, " "))
	}
	fmt.Fprintf(t, "users\t%s\nagent\t%s\n", strings.Join(s.Users, ", "), s.Agent)
	return t.Flush()
}
