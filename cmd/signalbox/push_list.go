package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"signalbox/internal/client"
)

func pushListCommand() *cobra.Command {
	var q query
	var f client.PushFilter
	var most int
	c := &cobra.Command{
		Use:   "list",
		Short: "List pushes, the newest first",
		Example: "  signalbox push list --endpoint pc-1 --state accepted\n" +
			"  signalbox push list --state failed --limit 1000 -o json",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if most < 1 {
				return errors.New("--limit: must be at least 1")
			}
			return ask(c, &q, func(ctx context.Context, api *client.Client) ([]client.Push, error) {
				return newestPushes(ctx, api, f, most)
			}, writePushes)
		},
	}
	q.flags(c)
	c.Flags().StringVar(&f.Endpoint, "endpoint", "", "only pushes for this endpoint")
	c.Flags().StringVar(&f.State, "state", "", "only pushes in this state: accepted, sent, delivered, handled, failed, expired, replaced, cancelled or rejected")
	c.Flags().IntVar(&most, "limit", 100, "how many at most")
	return c
}

// newestPushes reads page after page, up to so many pushes.
func newestPushes(ctx context.Context, api *client.Client, f client.PushFilter, most int) ([]client.Push, error) {
	all := []client.Push{}
	for {
		f.Limit = min(pageSize, most-len(all))
		page, err := api.Pushes(ctx, f)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if f.Cursor = page.Next; f.Cursor == "" || len(all) >= most {
			return all, nil
		}
	}
}

// writePushes shows pushes to people.
func writePushes(w io.Writer, all []client.Push) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", p.ID, toText(p), p.Type, summary(p), timeText(p.CreatedAt))
	}
	return t.Flush()
}

// toText says who gets a push.
func toText(p client.Push) string {
	if p.To != "" {
		return p.To
	}
	return strconv.Itoa(p.Targets) + " endpoints"
}
