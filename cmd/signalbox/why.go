package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"signalbox/internal/client"
)

func endpointDiagnoseCommand() *cobra.Command {
	var r remote
	var out output
	c := &cobra.Command{
		Use:   "diagnose ID",
		Short: "Say why an endpoint is or is not online, and what to do",
		Long: "Says in one sentence why an endpoint is or is not online, and in another what to do; then each step of its way from DNS to the management server, and what\n" +
			"came from it or from its last address and was refused. Status 1 if something is wrong.",
		Example: "  signalbox endpoint diagnose pc-1\n" +
			"  signalbox endpoint diagnose pc-1 -o json",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return r.call(c.Context(), func(ctx context.Context, api *client.Client) error {
				d, err := api.Diagnosis(ctx, args[0])
				if err != nil {
					return err
				}
				if err := out.print(c.OutOrStdout(), d, func(w io.Writer) error { return writeDiagnosis(w, d) }); err != nil {
					return err
				}
				if !d.OK {
					return fmt.Errorf("%s: %s", d.ID, d.Code)
				}
				return nil
			})
		},
	}
	r.flags(c)
	out.flag(c)
	return c
}

func writeDiagnosis(w io.Writer, d client.Diagnosis) error {
	fmt.Fprintf(w, "%s\n%s: %s\n\n", d.Summary, todo(d.OK), d.Action)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "STEP\tRESULT\tAT\tFROM\tDETAIL")
	for _, s := range d.Steps {
		detail := strings.TrimSpace(s.Code + " " + oneLine(s.Detail))
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", s.Step, strings.ReplaceAll(s.Result, "_", " "), dash(timeText(s.At)), dash(s.Address), dash(detail))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, f := range d.Also {
		fmt.Fprintf(w, "\nAlso: %s\n%s: %s\n", f.Summary, todo(false), f.Action)
	}
	if len(d.Attempts) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	fmt.Fprintln(t, "REFUSED\tLAST\tTIMES\tFROM\tKNOWN BY\tDETAIL")
	for _, a := range d.Attempts {
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\n", a.Code, timeText(a.At), a.Count, a.Address, a.By, dash(oneLine(a.Cause)))
	}
	return t.Flush()
}

func todo(fine bool) string {
	if fine {
		return "Then"
	}
	return "To do"
}

func endpointTimelineCommand() *cobra.Command {
	var q query
	var limit int
	c := &cobra.Command{
		Use:     "timeline ID",
		Short:   "Show what happened to an endpoint: presence, pushes, changes, refused connections; the newest first",
		Example: "  signalbox endpoint timeline pc-1 --limit 20",
		Args: func(c *cobra.Command, args []string) error {
			if limit < 1 {
				return fmt.Errorf("--limit %d: must be 1 or more", limit)
			}
			return cobra.ExactArgs(1)(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			return ask(c, &q, func(ctx context.Context, api *client.Client) (client.Timeline, error) {
				return readTimeline(ctx, api, args[0], limit)
			}, writeTimeline)
		},
	}
	q.flags(c)
	c.Flags().IntVar(&limit, "limit", 50, "how many things to show at most")
	return c
}

// readTimeline reads page after page.
func readTimeline(ctx context.Context, api *client.Client, id string, limit int) (all client.Timeline, err error) {
	all.Items = []client.TimelineEntry{}
	for {
		page, err := api.Timeline(ctx, id, all.Next, min(pageSize, limit-len(all.Items)))
		if err != nil {
			return client.Timeline{}, err
		}
		all.Items, all.Next = append(all.Items, page.Items...), page.Next
		if page.CompleteSince.After(all.CompleteSince) {
			all.CompleteSince = page.CompleteSince
		}
		if all.Next == "" || len(all.Items) >= limit {
			return all, nil
		}
	}
}

func writeTimeline(w io.Writer, l client.Timeline) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, e := range l.Items {
		times := ""
		if e.Count > 1 {
			times = fmt.Sprintf("%d times until ", e.Count)
		}
		fmt.Fprintf(t, "%s%s\t%s\t%s\n", times, timeText(e.At), e.Kind, oneLine(e.Summary))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if !l.CompleteSince.IsZero() {
		fmt.Fprintf(w, "Before %s things may be missing.\n", timeText(l.CompleteSince))
	}
	return nil
}

func pushExplainCommand() *cobra.Command {
	return oneCommand("explain", "Say why a push is in its state, what it waits for, and what to do", "push explain psh_0sa4jhbsg0000", (*client.Client).ExplainPush, writeExplanation)
}

func writeExplanation(w io.Writer, e client.Explanation) error {
	fmt.Fprintf(w, "%s\n%s: %s\n", oneLine(e.Summary), todo(e.Done), e.Action)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(e.History) > 0 {
		fmt.Fprintln(t, "\nSTATE\tAT\tFOR\tREASON")
	}
	for i, p := range e.History {
		lasted := "-"
		if i+1 < len(e.History) || !e.Done {
			lasted = time.Duration(p.Seconds * float64(time.Second)).Round(time.Millisecond).String()
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", p.State, timeText(p.At), lasted, dash(p.Reason))
	}
	if e.Targets > 0 {
		fmt.Fprintf(t, "\n%d targets\t%s\n", e.Targets, countsText(e.Counts))
	}
	if len(e.Groups) > 0 {
		fmt.Fprintln(t, "\nSTATE\tWHY\tTARGETS\tSUCH AS\t")
	}
	for _, g := range e.Groups {
		more := ""
		if g.Partial {
			more = " or more"
		}
		fmt.Fprintf(t, "%s\t%s\t%d%s\t%s\t%s\n", g.State, g.Code, g.Count, more, g.Example, oneLine(g.Summary))
	}
	return t.Flush()
}
