package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"signalbox/internal/client"
)

func webhookCommand() *cobra.Command {
	return group("webhook", "Receivers of events (Standard Webhooks), over the HTTP API",
		"  signalbox webhook create https://itsm.example.com/hooks/signalbox --type 'endpoint.*' --type push.failed",
		webhookCreateCommand(), webhookListCommand(),
		oneCommand("show", "Show a webhook, and how it is doing; management is the management server of the configuration", "webhook show management",
			(*client.Client).Webhook, writeWebhook),
		webhookChangeCommand(),
		eachCommand("delete ID...", "Delete webhooks with their logs", "webhook delete whk_06f3", func(ctx context.Context, api *client.Client, id string) (string, error) {
			return "deleted", api.DeleteWebhook(ctx, id)
		}),
		webhookTestCommand(),
		webhookDeliveriesCommand(), webhookReplayCommand())
}

func webhookCreateCommand() *cobra.Command {
	var q query
	var n client.NewWebhook
	var disabled bool
	c := &cobra.Command{
		Use:   "create URL",
		Short: "Have events posted to a URL; the secret that signs them is shown this one time",
		Example: "  signalbox webhook create https://itsm.example.com/hooks/signalbox\n" +
			"  signalbox webhook create https://itsm.example.com/hooks/signalbox --type 'endpoint.*' --type push.failed --signature ed25519",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			n.URL = args[0]
			if disabled {
				n.Enabled = new(bool)
			}
			return ask(c, &q, func(ctx context.Context, api *client.Client) (client.Webhook, error) {
				return api.CreateWebhook(ctx, n)
			}, writeWebhook)
		},
	}
	q.flags(c)
	c.Flags().StringSliceVar(&n.Types, "type", nil, "type of event such as push.failed or endpoint.*; may be repeated; all but push.accepted and push.sent if not given")
	c.Flags().StringVar(&n.Description, "description", "", "whose it is, for people")
	c.Flags().StringVar(&n.Signature, "signature", "", "hmac (the default) or ed25519")
	c.Flags().BoolVar(&n.InsecureHTTP, "insecure-http", false, "allow http in the URL: events then cross the network in clear")
	c.Flags().BoolVar(&disabled, "disabled", false, "register it without sending events")
	return c
}

func webhookListCommand() *cobra.Command {
	var q query
	c := &cobra.Command{
		Use: "list", Short: "List webhooks, and how they are doing", Example: "  signalbox webhook list", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return ask(c, &q, func(ctx context.Context, api *client.Client) ([]client.Webhook, error) { return api.Webhooks(ctx) }, writeWebhooks)
		},
	}
	q.flags(c)
	return c
}

func webhookChangeCommand() *cobra.Command {
	var q query
	var change client.WebhookChange
	var url string
	var types []string
	var enable, disable bool
	var keep time.Duration
	c := &cobra.Command{
		Use:   "change ID",
		Short: "Change a webhook, enable or disable it, or give it a new secret",
		Example: "  signalbox webhook change whk_06f3 --enable\n" +
			"  signalbox webhook change whk_06f3 --new-secret hmac --old-secrets-for 48h",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			given := c.Flags().Changed
			if given("to") {
				change.URL = &url
			}
			if given("type") {
				change.Types = &types
			}
			if enable || disable {
				change.Enabled = &enable
			}
			if given("old-secrets-for") {
				seconds := int64(keep.Seconds())
				change.OldSecretsFor = &seconds
			}
			return ask(c, &q, func(ctx context.Context, api *client.Client) (client.Webhook, error) {
				return api.ChangeWebhook(ctx, args[0], change)
			}, writeWebhook)
		},
	}
	q.flags(c)
	c.Flags().StringVar(&url, "to", "", "where events are posted")
	c.Flags().StringSliceVar(&types, "type", nil, "types of events in place of the old ones; may be repeated")
	c.Flags().BoolVar(&enable, "enable", false, "send events, also to a receiver that the server disabled")
	c.Flags().BoolVar(&disable, "disable", false, "send nothing")
	c.Flags().StringVar(&change.NewSecret, "new-secret", "", "make a further secret, hmac or ed25519, which signs from now on")
	c.Flags().DurationVar(&keep, "old-secrets-for", 24*time.Hour, "how long the secrets before the new one sign as well")
	c.MarkFlagsMutuallyExclusive("enable", "disable")
	return c
}

func webhookTestCommand() *cobra.Command {
	var r remote
	var out output
	c := &cobra.Command{
		Use: "test ID", Short: "Have a test sent now, and tell what came of it; status 1 if it was not taken", Example: "  signalbox webhook test management", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return r.call(c.Context(), func(ctx context.Context, api *client.Client) error {
				d, err := api.TestWebhook(ctx, args[0])
				if err != nil {
					return err
				}
				if err := out.print(c.OutOrStdout(), d, func(w io.Writer) error { return writeTest(w, d) }); err != nil {
					return err
				}
				if !d.OK {
					return errors.New("the test was not taken")
				}
				return nil
			})
		},
	}
	r.flags(c)
	out.flag(c)
	return c
}
