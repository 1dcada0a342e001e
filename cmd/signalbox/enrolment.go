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

func enrolmentCommand() *cobra.Command {
	return group("enrolment", "Tokens with which endpoints enrol, over the HTTP API",
		"  signalbox enrolment create --endpoint pc-1",
		enrolmentCreateCommand(), enrolmentListCommand(), enrolmentRevokeCommand())
}

func enrolmentCreateCommand() *cobra.Command {
	var q query
	var n client.NewEnrolment
	var lifetime time.Duration
	c := &cobra.Command{
		Use:   "create",
		Short: "Make an enrolment token and print it, alone, on standard output",
		Long: "Makes a token with which endpoints enrol (signalbox-agent enroll), and prints it, alone, on standard output, this one time. With --endpoint it is for that endpoint,\n" +
			"which may exist: then it logs in with the key that it enrols alone. Without, endpoints choose their ids, or get one that begins with --prefix.",
		Example: "  signalbox enrolment create --endpoint pc-1\n" +
			"  signalbox enrolment create --prefix branch-7. --group branch-7 --uses 40 --lifetime 72h",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if lifetime%time.Second != 0 || lifetime <= 0 {
				return fmt.Errorf("--lifetime %v: must be whole seconds", lifetime)
			}
			n.Lifetime = int(lifetime / time.Second)
			return ask(c, &q, func(ctx context.Context, api *client.Client) (client.Enrolment, error) {
				return api.CreateEnrolment(ctx, n)
			},
				func(w io.Writer, made client.Enrolment) error {
					_, err := fmt.Fprintln(w, made.Token)
					return err
				})
		},
	}
	q.flags(c)
	f := c.Flags()
	f.StringVar(&n.Endpoint, "endpoint", "", "id of the one endpoint that it is for")
	f.StringVar(&n.Prefix, "prefix", "", "with which the ids of endpoints begin that choose theirs")
	f.StringToStringVar(&n.Labels, "label", nil, "label of endpoints that it makes, name=value; may be repeated")
	f.StringSliceVar(&n.Groups, "group", nil, "group of endpoints that it makes; may be repeated")
	f.IntVar(&n.Uses, "uses", 1, "how many endpoints may enrol")
	f.DurationVar(&lifetime, "lifetime", 24*time.Hour, "until it expires, at most 2160h")
	return c
}

func enrolmentListCommand() *cobra.Command {
	var q query
	var limit int
	c := &cobra.Command{
		Use: "list", Short: "List enrolments, the newest first; the tokens themselves are not kept", Example: "  signalbox enrolment list", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return ask(c, &q, func(ctx context.Context, api *client.Client) ([]client.Enrolment, error) {
				page, err := api.Enrolments(ctx, limit, "")
				return page.Items, err
			}, writeEnrolments)
		},
	}
	q.flags(c)
	c.Flags().IntVar(&limit, "limit", 100, "how many at most, 1 to 500")
	return c
}

func enrolmentRevokeCommand() *cobra.Command {
	var r remote
	c := &cobra.Command{
		Use: "revoke ID", Short: "Delete an enrolment; endpoints that enrolled with it stay", Example: "  signalbox enrolment revoke enr_01k8example0000000000000000", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return r.call(c.Context(), func(ctx context.Context, api *client.Client) error { return api.RevokeEnrolment(ctx, args[0]) })
		},
	}
	r.flags(c)
	return c
}

func writeEnrolments(w io.Writer, all []client.Enrolment) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tFOR\tSTATE\tUSED\tEXPIRES\tGROUPS\tMADE BY")
	for _, e := range all {
		whom := cmp.Or(e.Endpoint, e.Prefix+"*")
		fmt.Fprintf(t, "%s\t%s\t%s\t%d of %d\t%s\t%s\t%s\n", e.ID, whom, e.State, e.Used, e.Uses, e.ExpiresAt.UTC().Format(time.RFC3339), cmp.Or(strings.Join(e.Groups, ","), "-"), e.MadeBy)
	}
	return t.Flush()
}
