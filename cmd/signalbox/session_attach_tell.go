package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"signalbox/internal/channel"
	channels "signalbox/internal/channel/client"
	"signalbox/internal/signalling"
	"signalbox/internal/viewer"
)

// teller says on a terminal how a session is: a line for each thing that is news.
type teller struct {
	w    io.Writer
	said map[string]string // the last line of each thing
}

func newTeller(w io.Writer) *teller { return &teller{w, map[string]string{}} }

// say says something of a thing unless that was its last line; nothing is nothing new.
func (t *teller) say(thing, text string) {
	if text == "" || text == t.said[thing] {
		return
	}
	fmt.Fprintf(printable{t.w}, "[%s]", text)
	fmt.Fprint(t.w, "\r\n") // the terminal may be raw
	t.said[thing] = text
}

// state tells what the technician waits for, what the user said, who else watches, and until when the session lasts.
func (t *teller) state(s signalling.State) {
	t.say("course", courseText(s))
	t.say("consent", consentText(s))
	t.say("watchers", watchersText(s))
	if !s.Expires.IsZero() {
		t.say("end", "the session ends at "+timeText(s.Expires))
	}
}

func courseText(s signalling.State) string {
	switch s.State {
	case "requested":
		return "waiting for " + s.Endpoint
	case "waiting_for_consent":
		text := "the user at " + s.Endpoint + " is asked"
		if s.ConsentEnds != nil {
			text += " until " + timeText(*s.ConsentEnds)
		}
		return text
	case "reconnecting":
		return "waiting for a lost connection"
	}
	return ""
}

// consentText is how the question to the user ended; while they are asked, courseText says so.
func consentText(s signalling.State) string {
	text := map[string]string{
		signalling.ConsentNotNeeded: "consent is not needed", signalling.ConsentAllowed: "the user allowed it", signalling.ConsentDenied: "the user did not allow it",
		signalling.ConsentTimedOut: "the user did not answer", signalling.ConsentNobody: "there was nobody to ask",
	}[s.Consent]
	desktop := map[string]string{signalling.DesktopNone: ": nobody is logged in", signalling.DesktopLocked: ": the screen is locked"}[s.Desktop]
	if text == "" {
		return ""
	}
	return text + desktop
}

// watchersText names the technicians who are in sessions with the endpoint beside this one, whose own name is among the watchers once.
func watchersText(s signalling.State) string {
	others := slices.DeleteFunc(slices.Clone(s.Watchers), func(name string) bool { return name == s.Technician })
	if len(others) == 0 {
		return "nobody else watches"
	}
	return "also here: " + strings.Join(others, ", ")
}

// path tells by which way the endpoint is reached.
func (t *teller) path(p signalling.Path) {
	switch p.Rung {
	case "":
	case signalling.RungRelay:
		t.say("course", "connected over the relay, which can read what passes")
	default:
		t.say("course", "connected: "+p.Rung)
	}
}

// restarted tells why the endpoint is not reached for a moment, each time.
func (t *teller) restarted() {
	delete(t.said, "restart")
	t.say("restart", "the TURN server was restarted; the connection is made again")
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
