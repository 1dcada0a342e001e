package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox/internal/client"
)

// probed is what endpoint probe found of one endpoint.
type probed struct {
	ID string `json:"id"`
	client.Probe
}

func endpointProbeCommand() *cobra.Command {
	var r remote
	var out output
	c := &cobra.Command{
		Use:   "probe ID...",
		Short: "Ask endpoints for a sign of life, now",
		Long: "Asks each endpoint on its session, which takes two seconds at most, and says how long the answer took. The status is 1 if one of them does not answer: it is\n" +
			"unresponsive (it has a session and says nothing) or offline.",
		Example: "  signalbox endpoint probe pc-1\n  signalbox endpoint probe pc-1 pc-2 -o json",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return r.call(c.Context(), func(ctx context.Context, api *client.Client) error {
				return probeAll(ctx, api, args, &out, c.OutOrStdout())
			})
		},
	}
	r.flags(c)
	out.flag(c)
	return c
}

// probeAll probes one after the other, prints what it found and returns an error that names those that did not answer.
func probeAll(ctx context.Context, api *client.Client, ids []string, out *output, w io.Writer) error {
	all := []probed{}
	var silent []string
	for _, id := range ids {
		p, err := api.Probe(ctx, id)
		if err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		all = append(all, probed{id, p})
		if p.State != "online" {
			silent = append(silent, id+" is "+p.State)
		}
	}
	err := out.print(w, all, func(w io.Writer) error {
		for _, p := range all {
			fmt.Fprintf(w, "%s %s\n", p.ID, probeText(p.Probe))
		}
		return nil
	})
	if err == nil && len(silent) > 0 {
		err = fmt.Errorf("%s", strings.Join(silent, ", "))
	}
	return err
}

func probeText(p client.Probe) string {
	switch p.State {
	case "online":
		return fmt.Sprintf("online, answered within %.1f ms", p.RTT)
	case "offline":
		return presenceText(p.Presence)
	}
	return p.State + ", last heard " + cmp.Or(timeText(p.Presence.LastHeard), "never")
}

// troubleText says what is out of the ordinary with an endpoint; empty: nothing is.
func troubleText(p client.Presence) string {
	var all []string
	if p.Flapping {
		all = append(all, fmt.Sprintf("flapping: %d sessions began in the last minute", p.Sessions))
	}
	if p.Cloned != nil {
		all = append(all, fmt.Sprintf("cloned: %s logs in with its identity, too, last at %s", strings.TrimSpace(p.Cloned.RemoteAddr+" "+p.Cloned.Resource), p.Cloned.At.UTC().Format(time.RFC3339)))
	}
	return strings.Join(all, "; ")
}
