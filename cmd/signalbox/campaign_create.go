package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox/internal/client"
)

// launching is what campaign create was asked for.
type launching struct {
	sending
	campaign      client.NewCampaign
	canary, abort int
	canaryWait    time.Duration
	abortAfter    int
	window, zone  string
	days          []string
	start         string
	follow        bool
}

func campaignCreateCommand() *cobra.Command {
	var r remote
	var out output
	l := &launching{}
	c := &cobra.Command{
		Use:   "create NAME TYPE {--to ENDPOINT[,ENDPOINT...] | --group GROUP | --label NAME=VALUE}",
		Short: "Roll a push out to many endpoints with care",
		Long: "Sends a push to the endpoints that match now, at a rate, to a share of them first, within hours of the day, and to no more of them when too many fail. With --wait it\n" +
			"shows how far it is until it is over; the status is 1 if it was aborted.",
		Example: "  signalbox campaign create agent-7.2 agent.update --payload '{\"version\":\"7.2\"}' --group lab --ack handled --canary 5 --canary-wait 1h --abort 10 --rate 600\n" +
			"  signalbox campaign create policy policy.refresh --label site=paris --window 22:00-05:00 --zone Europe/Paris --days mon,tue --wait",
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			l.campaign.Name, l.push.Type = args[0], args[1]
			if err := l.completeCampaign(c); err != nil {
				return err
			}
			return r.call(c.Context(), func(ctx context.Context, api *client.Client) error { return l.launch(ctx, c, api, &out) })
		},
	}
	r.flags(c)
	out.flag(c)
	l.campaignFlags(c)
	return c
}

func (l *launching) campaignFlags(c *cobra.Command) {
	l.pushFlags(c)
	f := c.Flags()
	f.DurationVar(&l.ttl, "ttl", 0, "how long each push lives, in whole seconds; the server's default if not given")
	f.StringVar(&l.push.IdempotencyKey, "idempotency-key", "", "the same key and campaign makes nothing twice; a new one if not given")
	f.IntVar(&l.campaign.Rate, "rate", 0, "endpoints per minute; as fast as the server takes them if not given")
	f.IntVar(&l.canary, "canary", 0, "percentage of the endpoints that gets it first")
	f.DurationVar(&l.canaryWait, "canary-wait", time.Hour, "how long their results are waited for at most, in whole seconds")
	f.IntVar(&l.abort, "abort", 0, "percentage of failures beyond which it ends by itself")
	f.IntVar(&l.abortAfter, "abort-after", 10, "pushes that must be over before that counts")
	f.StringVar(&l.window, "window", "", "hours of the day in which it sends, such as 22:00-05:00")
	f.StringVar(&l.zone, "zone", "", "time zone of the window, such as Europe/Paris; UTC if not given")
	f.StringSliceVar(&l.days, "days", nil, "days on which the window begins: sun,mon,tue,wed,thu,fri,sat; every day if not given")
	f.StringVar(&l.start, "start", "", "when it begins: a time such as 2026-01-01T00:00:00Z, or how long from now, such as 2h")
	f.BoolVar(&l.follow, "wait", false, "show how far it is until it is over")
	c.MarkFlagsOneRequired("to", "group", "label")
}

// completeCampaign takes what the flags say into the campaign.
func (l *launching) completeCampaign(c *cobra.Command) error {
	l.notBefore = l.start
	if err := l.complete(c); err != nil {
		return exitAs(err, strings.ReplaceAll(err.Error(), "--not-before", "--start"))
	}
	n := &l.campaign
	n.Start, l.push.NotBefore = l.push.NotBefore, nil
	n.IdempotencyKey, l.push.IdempotencyKey = l.push.IdempotencyKey, ""
	n.Push.Push, n.Push.To = l.push, l.to
	if l.selects() {
		n.Push.To = l.selector
	}
	if err := l.completeGuards(c.Flags().Changed); err != nil {
		return err
	}
	if l.window == "" {
		if l.zone != "" || l.days != nil {
			return errors.New("--zone and --days are for --window")
		}
		return nil
	}
	from, until, ok := strings.Cut(l.window, "-")
	if !ok {
		return fmt.Errorf("--window %q: must be two times of day, such as 22:00-05:00", l.window)
	}
	n.Window = &client.CampaignWindow{From: from, Until: until, Zone: l.zone, Days: l.days}
	return nil
}

// completeGuards takes over what keeps a campaign from going wrong. Nothing of that is left out without a word: the server judges what is given.
func (l *launching) completeGuards(given func(string) bool) error {
	switch {
	case given("canary-wait") && !given("canary"):
		return errors.New("--canary-wait is for --canary")
	case given("abort-after") && !given("abort"):
		return errors.New("--abort-after is for --abort")
	case l.canaryWait%time.Second != 0:
		return fmt.Errorf("--canary-wait %v: must be whole seconds", l.canaryWait)
	}
	if given("canary") {
		wait := int(l.canaryWait / time.Second)
		l.campaign.Canary = &client.CampaignCanary{Percent: l.canary, Wait: &wait}
	}
	if given("abort") {
		l.campaign.Abort = &client.CampaignAbort{FailedPercent: l.abort, After: &l.abortAfter}
	}
	return nil
}

func (l *launching) launch(ctx context.Context, c *cobra.Command, api *client.Client, out *output) error {
	made, err := api.CreateCampaign(ctx, l.campaign)
	if err == nil && l.follow {
		id := made.ID
		if made, err = followCampaign(ctx, api, id, c.ErrOrStderr()); err != nil {
			err = fmt.Errorf("campaign %s goes on, and is not followed any more: %w", id, err)
		}
	}
	if err != nil {
		return err
	}
	err = out.print(c.OutOrStdout(), made, func(w io.Writer) error { return writeCampaign(w, made) })
	if err == nil && made.State == "aborted" {
		err = fmt.Errorf("campaign %s was aborted: %s", made.ID, made.Reason)
	}
	return err
}
