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

func webhookDeliveriesCommand() *cobra.Command {
	var q query
	var failed bool
	var limit int
	c := &cobra.Command{
		Use: "deliveries ID", Short: "List the attempts for a webhook, the newest first", Example: "  signalbox webhook deliveries management --failed", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if limit < 1 || limit > pageSize {
				return fmt.Errorf("--limit %d: must be 1 to %d", limit, pageSize)
			}
			return ask(c, &q, func(ctx context.Context, api *client.Client) ([]client.WebhookDelivery, error) {
				page, err := api.WebhookDeliveries(ctx, args[0], failed, limit, "")
				return page.Items, err
			}, writeDeliveries)
		},
	}
	q.flags(c)
	c.Flags().BoolVar(&failed, "failed", false, "only attempts that failed")
	c.Flags().IntVar(&limit, "limit", 50, "how many")
	return c
}

func webhookReplayCommand() *cobra.Command {
	var r remote
	var out output
	var seq int64
	var from string
	var failedOnly bool
	c := &cobra.Command{
		Use:   "replay ID",
		Short: "Send events again, with the same ids and in their order",
		Example: "  signalbox webhook replay management --from 2026-01-02T15:04:05Z\n" +
			"  signalbox webhook replay whk_06f3 --failed",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var ask client.Replay
			if c.Flags().Changed("seq") {
				ask.Seq = &seq
			}
			if from != "" {
				at, err := time.Parse(time.RFC3339, from)
				if err != nil {
					return errors.New("--from: write a time such as 2026-01-02T15:04:05Z")
				}
				ask.From = &at
			}
			ask.Failed = failedOnly
			return r.call(c.Context(), func(ctx context.Context, api *client.Client) error {
				done, err := api.ReplayWebhook(ctx, args[0], ask)
				if err != nil {
					return err
				}
				return out.print(c.OutOrStdout(), done, func(w io.Writer) error {
					if failedOnly {
						_, err := fmt.Fprintf(w, "%s tried again\n", plural(done.Revived, "event"))
						return err
					}
					_, err := fmt.Fprintf(w, "events behind number %d are sent again\n", done.After)
					return err
				})
			})
		},
	}
	r.flags(c)
	out.flag(c)
	c.Flags().Int64Var(&seq, "seq", 0, "events behind the one with this number")
	c.Flags().StringVar(&from, "from", "", "events since this time (RFC 3339)")
	c.Flags().BoolVar(&failedOnly, "failed", false, "only what was given up")
	c.MarkFlagsOneRequired("seq", "from", "failed")
	c.MarkFlagsMutuallyExclusive("seq", "from", "failed")
	return c
}
