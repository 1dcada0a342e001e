package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"signalbox/internal/client"
)

// turnSessionCommand is the part of the command turn that speaks with a running server.
func turnSessionCommand() *cobra.Command {
	return group("session", "TURN sessions, over the HTTP API",
		"  signalbox turn session open --ttl 1h --allow-peer 192.0.2.7",
		turnOpenCommand(),
		turnListCommand(),
		turnOneCommand("show", "Show a session with what it has moved", (*client.Client).TURNSession),
		oneCommand("renew", "Make new credentials for both sides", "turn session renew trn_0sa4jhbsg0000", (*client.Client).RenewTURNCredentials, writeTURNGrant),
		turnOneCommand("end", "End a session and show what it has moved", (*client.Client).EndTURNSession))
}

func turnOpenCommand() *cobra.Command {
	var q query
	var n client.NewTURNSession
	var ttl time.Duration
	var parties client.TURNParties
	c := &cobra.Command{
		Use: "open", Short: "Open a session and show the credentials of its two sides, this one time",
		Example: "  signalbox turn session open\n  signalbox turn session open --ttl 1h --a pc-1 --technician ann --allow-peer 192.0.2.7,198.51.100.0/24 -o json", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if ttl%time.Second != 0 || ttl <= 0 {
				return fmt.Errorf("--ttl %v: must be whole seconds", ttl)
			}
			n.TTL = int(ttl / time.Second)
			if parties != (client.TURNParties{}) {
				n.Endpoints = &parties
			}
			return ask(c, &q, func(ctx context.Context, api *client.Client) (client.TURNGrant, error) {
				return api.OpenTURNSession(ctx, n)
			}, writeTURNGrant)
		},
	}
	q.flags(c)
	f := c.Flags()
	f.DurationVar(&ttl, "ttl", 5*time.Minute, "how long it lasts, in whole seconds, up to 24h")
	f.StringSliceVar(&n.AllowPeers, "allow-peer", nil, "addresses and ranges that both sides may reach beside each other, up to 16; may be given again")
	f.StringVar(&parties.A, "a", "", "endpoint of side a")
	f.StringVar(&parties.B, "b", "", "endpoint of side b")
	f.StringVar(&n.Technician, "technician", "", "on whose quota it goes")
	f.IntVar(&n.MaxAllocations, "max-allocations", 0, "allocations at the same time; as the server is configured if not given")
	f.Int64Var(&n.Rate, "rate", 0, "bytes per second; as the server is configured if not given")
	return c
}

func turnListCommand() *cobra.Command {
	var q query
	var f client.TURNSessionFilter
	c := &cobra.Command{
		Use: "list", Short: "List sessions, the newest first", Example: "  signalbox turn session list --state open", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return ask(c, &q, func(ctx context.Context, api *client.Client) ([]client.TURNSession, error) {
				page, err := api.TURNSessions(ctx, f)
				return page.Items, err
			}, writeTURNSessions)
		},
	}
	q.flags(c)
	c.Flags().StringVar(&f.State, "state", "", "only sessions that are open or ended")
	c.Flags().IntVar(&f.Limit, "limit", 100, "how many at most, 1 to 500")
	return c
}

// turnOneCommand is a command that does something with one session and shows it.
func turnOneCommand(use, short string, act func(*client.Client, context.Context, string) (client.TURNSession, error)) *cobra.Command {
	return oneCommand(use, short, "turn session "+use+" trn_0sa4jhbsg0000", act, writeTURNSession)
}
