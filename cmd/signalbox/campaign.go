package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"signalbox/internal/client"
)

func campaignCommand() *cobra.Command {
	return group("campaign", "Guarded roll-outs, over the HTTP API",
		"  signalbox campaign create agent-7.2 agent.update --group lab --canary 5 --abort 10 --rate 600",
		campaignCreateCommand(),
		campaignListCommand(),
		campaignOneCommand("show", "Show a campaign with its progress", (*client.Client).Campaign),
		campaignChangeCommand("pause", "Send no more for now; what was sent goes on"),
		campaignChangeCommand("resume", "Go on with a paused campaign"),
		campaignChangeCommand("abort", "Send no more, and cancel what waits for its endpoint"))
}

func campaignListCommand() *cobra.Command {
	var q query
	var f client.CampaignFilter
	c := &cobra.Command{
		Use: "list", Short: "List campaigns, the newest first", Example: "  signalbox campaign list --state running", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return ask(c, &q, func(ctx context.Context, api *client.Client) ([]client.Campaign, error) {
				page, err := api.Campaigns(ctx, f)
				return page.Items, err
			}, writeCampaigns)
		},
	}
	q.flags(c)
	c.Flags().StringVar(&f.State, "state", "", "only campaigns that are running, paused, finished or aborted")
	c.Flags().IntVar(&f.Limit, "limit", 100, "how many at most, 1 to 500")
	return c
}

func campaignChangeCommand(use, short string) *cobra.Command {
	return campaignOneCommand(use, short, func(api *client.Client, ctx context.Context, id string) (client.Campaign, error) {
		return api.ChangeCampaign(ctx, id, use)
	})
}

// campaignOneCommand is a command that does something with one campaign and shows it.
func campaignOneCommand(use, short string, act func(*client.Client, context.Context, string) (client.Campaign, error)) *cobra.Command {
	return oneCommand(use, short, "campaign "+use+" cmp_0sa4jhbsg0000", act, writeCampaign)
}

func writeCampaigns(w io.Writer, all []client.Campaign) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d of %d\t%s\n", c.ID, c.Name, c.State, c.Sent, c.Targets, timeText(c.CreatedAt))
	}
	return t.Flush()
}

func writeCampaign(w io.Writer, c client.Campaign) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	line("id", "%s", c.ID)
	line("name", "%s", c.Name)
	line("push", "%s", c.Type)
	line("state", "%s, %s", c.State, c.Reason)
	line("sent", "%d of %d", c.Sent, c.Targets)
	line("targets", "%s", countsText(c.Counts))
	if c.Waits != "" {
		line("waits for", "%s", waitText(c))
	}
	if c.Canary != nil {
		line("canary", "%d %%, passed: %v", c.Canary.Percent, c.Passed)
	}
	if c.Abort != nil {
		line("aborts", "when more than %d %% have failed", c.Abort.FailedPercent)
	}
	if c.Window != nil {
		line("window", "%s", windowText(*c.Window))
	}
	for _, h := range c.History {
		line("", "%s", changeText(h))
	}
	return t.Flush()
}

// waitText says what a campaign waits for.
func waitText(c client.Campaign) string {
	text := map[string]string{
		"start": "its start", "canary": "the results of the first few", "window": "its window", "rate": "its rate", "results": "the last results",
	}[c.Waits]
	if c.Until != nil {
		text += ", until " + timeText(*c.Until)
	}
	return text
}

// windowText says in which hours of which days a campaign sends.
func windowText(w client.CampaignWindow) string {
	text := w.From + " to " + w.Until + " " + cmp.Or(w.Zone, "UTC")
	if len(w.Days) > 0 {
		text += ", " + strings.Join(w.Days, " ")
	}
	return text
}

// followCampaign shows how far a campaign is until it is over.
func followCampaign(ctx context.Context, api *client.Client, id string, progress io.Writer) (client.Campaign, error) {
	bar := newBar(progress)
	defer bar.end()
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	for {
		c, err := api.Campaign(ctx, id)
		if err != nil {
			return c, err
		}
		bar.draw(c.Sent, c.Targets, fmt.Sprintf("%s, %d of %d sent: %s", c.State, c.Sent, c.Targets, countsText(c.Counts)))
		if c.State == "finished" || c.State == "aborted" {
			return c, nil
		}
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return c, ctx.Err()
		}
	}
}
