package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"signalbox/internal/client"
)

// query is what a command has that asks the API and prints the answer.
type query struct {
	remote
	out output
}

func (q *query) flags(c *cobra.Command) {
	q.remote.flags(c)
	q.out.flag(c)
}

// ask asks once and prints the answer, which text writes for people.
func ask[T any](c *cobra.Command, q *query, question func(context.Context, *client.Client) (T, error), text func(io.Writer, T) error) error {
	return q.call(c.Context(), func(ctx context.Context, api *client.Client) error {
		answer, err := question(ctx, api)
		if err != nil {
			return err
		}
		return q.out.print(c.OutOrStdout(), answer, func(w io.Writer) error { return text(w, answer) })
	})
}

// oneCommand is a command that asks about one thing by its id, or has something done to it, and prints what it is then.
func oneCommand[T any](use, short, example string, question func(*client.Client, context.Context, string) (T, error), text func(io.Writer, T) error) *cobra.Command {
	var q query
	c := &cobra.Command{
		Use: use + " ID", Short: short, Example: "  signalbox " + example, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return ask(c, &q, func(ctx context.Context, api *client.Client) (T, error) { return question(api, ctx, args[0]) }, text)
		},
	}
	q.flags(c)
	return c
}

// eachCommand is a command that does something to several things, named by its arguments, and says what became of each.
func eachCommand(use, short, example string, act func(context.Context, *client.Client, string) (became string, err error)) *cobra.Command {
	var r remote
	c := &cobra.Command{
		Use: use, Short: short, Example: "  signalbox " + example, Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return r.call(c.Context(), func(ctx context.Context, api *client.Client) error {
				for _, name := range args {
					became, err := act(ctx, api, name)
					if err != nil {
						return fmt.Errorf("%s: %w", name, err)
					}
					fmt.Fprintf(c.OutOrStdout(), "%s %s\n", name, became)
				}
				return nil
			})
		},
	}
	r.flags(c)
	return c
}
