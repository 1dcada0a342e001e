package main

import (
	"context"
	"fmt"
	"io"
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
		turnRenewCommand(),
		turnOneCommand("end", "End a session and show what it has moved", (*client.Client).EndTURNSession))
}

func turnOpenCommand() *cobra.Command {
	var r remote
	var out output
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
			return r.call(c.Context(), func(ctx context.Context, api *client.Client) error {
				made, err := api.OpenTURNSession(ctx, n)
				if err != nil {
					return err
				}
				return out.print(c.OutOrStdout(), made, func(w io.Writer) error { return writeTURNGrant(w, made) })
			})
		},
	}
	r.flags(c)
	out.flag(c)
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
	var r remote
	var out output
	var f client.TURNSessionFilter
	c := &cobra.Command{
		Use: "list", Short: "List sessions, the newest first", Example: "  signalbox turn session list --state open", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return r.call(c.Context(), func(ctx context.Context, api *client.Client) error {
				page, err := api.TURNSessions(ctx, f)
				if err != nil {
					return err
				}
				return out.print(c.OutOrStdout(), page.Items, func(w io.Writer) error { return writeTURNSessions(w, page.Items) })
			})
		},
	}
	r.flags(c)
	out.flag(c)
	c.Flags().StringVar(&f.State, "state", "", "only sessions that are open or ended")
	c.Flags().IntVar(&f.Limit, "limit", 100, "how many at most, 1 to 500")
	return c
}

func turnRenewCommand() *cobra.Command {
	var r remote
	var out output
	c := &cobra.Command{
		Use: "renew ID", Short: "Make new credentials for both sides", Example: "  signalbox turn session renew trn_0sa4jhbsg0000", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return r.call(c.Context(), func(ctx context.Context, api *client.Client) error {
				made, err := api.RenewTURNCredentials(ctx, args[0])
				if err != nil {
					return err
				}
				return out.print(c.OutOrStdout(), made, func(w io.Writer) error { return writeTURNGrant(w, made) })
			})
		},
	}
	r.flags(c)
	out.flag(c)
	return c
}

// turnOneCommand is a command that does something with one session and shows it.
func turnOneCommand(use, short string, act func(*client.Client, context.Context, string) (client.TURNSession, error)) *cobra.Command {
	var r remote
	var out output
	c := &cobra.Command{
		Use: use + " ID", Short: short, Example: "  signalbox turn session " + use + " trn_0sa4jhbsg0000", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return r.call(c.Context(), func(ctx context.Context, api *client.Client) error {
				found, err := act(api, ctx, args[0])
				if err != nil {
					return err
				}
				return out.print(c.OutOrStdout(), found, func(w io.Writer) error { return writeTURNSession(w, found) })
			})
		},
	}
	r.flags(c)
	out.flag(c)
	return c
}
