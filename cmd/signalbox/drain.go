package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"signalbox/internal/client"
)

// draining is what drain was asked for.
type draining struct {
	period time.Duration
	reason string
	wait   bool
	status bool
	undo   bool
}

func drainCommand() *cobra.Command {
	var q query
	var d draining
	c := &cobra.Command{
		Use:   "drain",
		Short: "Send endpoints away before the server is stopped",
		Long: "From now on the server is not ready (/readyz), takes no new streams of endpoints, and tells each endpoint when to come back before it closes its stream,\n" +
			"spread over the period. The API goes on. With --wait the command shows how far it is and ends when no stream is left. What stops the server afterwards,\n" +
			"such as SIGTERM, keeps the sessions for the next start; by itself SIGTERM drains, too, over drain.period. --undo lets endpoints come again.",
		Example: "  signalbox drain --period 1m --reason upgrade --wait\n" +
			"  signalbox drain --status\n" +
			"  signalbox drain --undo",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if d.period%time.Second != 0 || d.period < 0 || c.Flags().Changed("period") && d.period == 0 {
				return fmt.Errorf("--period %v: must be whole seconds, 1s to 1h", d.period)
			}
			return ask(c, &q, func(ctx context.Context, api *client.Client) (client.Drain, error) {
				return d.run(ctx, api, c.ErrOrStderr())
			}, drainText)
		},
	}
	q.flags(c)
	f := c.Flags()
	f.DurationVar(&d.period, "period", 0, "time over which endpoints are sent away, in whole seconds, 1h at most; the server's drain.period if not given")
	f.StringVar(&d.reason, "reason", "", "why, for those who look at readiness and at the events")
	f.BoolVar(&d.wait, "wait", false, "wait until no stream is left")
	f.BoolVar(&d.status, "status", false, "only show how far it is")
	f.BoolVar(&d.undo, "undo", false, "let endpoints come again")
	c.MarkFlagsMutuallyExclusive("undo", "status", "wait")
	c.MarkFlagsMutuallyExclusive("undo", "status", "period")
	c.MarkFlagsMutuallyExclusive("undo", "status", "reason")
	return c
}

func (d draining) run(ctx context.Context, api *client.Client, progress io.Writer) (client.Drain, error) {
	switch {
	case d.undo:
		return api.UndoDrain(ctx)
	case d.status:
		return api.Drain(ctx)
	}
	now, err := api.StartDrain(ctx, d.period, d.reason)
	if err != nil || !d.wait {
		return now, err
	}
	err = d.await(ctx, api, &now, progress)
	return now, err
}

// drainPatience is how long the last streams may take to close once all endpoints were told.
const drainPatience = time.Minute

// errUndone says that somebody has taken the drain back.
var errUndone = errors.New("endpoints are let in again: the drain was taken back")

// await shows how far it is until no stream is left.
func (d draining) await(ctx context.Context, api *client.Client, now *client.Drain, w io.Writer) error {
	bar := newBar(w)
	defer bar.end()
	return await(ctx, "drain", time.Until(now.Until)+drainPatience, func(ctx context.Context) (bool, error) {
		latest, err := api.Drain(ctx)
		if err != nil {
			return false, err
		}
		*now = latest
		if now.State == "serving" {
			return false, errUndone
		}
		done := now.Sessions - now.Left
		bar.draw(done, now.Sessions, fmt.Sprintf("%d of %d", done, now.Sessions))
		return now.State == "drained", nil
	})
}

func drainText(w io.Writer, d client.Drain) error {
	if d.State == "serving" {
		_, err := fmt.Fprintf(w, "serving  %s\n", plural(d.Left, "stream"))
		return err
	}
	_, err := fmt.Fprintf(w, "%s  %d of %s left, until %s\n", d.State, d.Left, plural(d.Sessions, "stream"), d.Until.Local().Format(time.DateTime))
	return err
}
