package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"signalbox/internal/access"
	"signalbox/internal/config"
	"signalbox/internal/store"
)

func tokenCommand() *cobra.Command {
	return group("token", "API tokens, on the configured store, whether the server runs or not",
		"  signalbox token create --name management-server --scope push,read,endpoints",
		tokenCreateCommand(), tokenListCommand(), tokenRevokeCommand())
}

func tokenCreateCommand() *cobra.Command {
	var s settings
	var name string
	var scopes []string
	c := &cobra.Command{
		Use:   "create",
		Short: "Make an API token and print it, alone, on standard output",
		Long: "Makes an API token and prints it, alone, on standard output. It is kept as a hash only: this is the one time that it can be seen.\n" +
			"Scopes: " + scopeList() + "; admin includes all others.",
		Example: "  signalbox token create --name management-server --scope push,read,endpoints",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			asked := make([]access.Scope, len(scopes))
			for i, scope := range scopes {
				asked[i] = access.Scope(scope)
			}
			return s.withTokens(c.Context(), func(ctx context.Context, tokens *access.Service) error {
				secret, _, err := tokens.Create(ctx, name, asked)
				if errors.Is(err, access.ErrTokenRequest) {
					return marked(exitUsage, err)
				}
				if err == nil {
					_, err = fmt.Fprintln(c.OutOrStdout(), secret)
				}
				return err
			})
		},
	}
	s.flags(c)
	c.Flags().StringVar(&name, "name", "", "name of the token, for lists, logs and revoke")
	c.Flags().StringSliceVar(&scopes, "scope", nil, "what the token may do, comma separated")
	return need(c, "name", "scope")
}

func tokenListCommand() *cobra.Command {
	var s settings
	var out output
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the API tokens; the tokens themselves are not kept",
		Example: "  signalbox token list -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return s.withTokens(c.Context(), func(ctx context.Context, tokens *access.Service) error {
				all, err := tokens.List(ctx)
				if err != nil {
					return err
				}
				return out.print(c.OutOrStdout(), tokenItems(all), func(w io.Writer) error { return writeTokens(w, all) })
			})
		},
	}
	s.flags(c)
	out.flag(c)
	return c
}

func tokenRevokeCommand() *cobra.Command {
	var s settings
	c := &cobra.Command{
		Use:     "revoke NAME|ID",
		Short:   "Revoke an API token; a running server refuses it within a second",
		Example: "  signalbox token revoke management-server",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return s.withTokens(c.Context(), func(ctx context.Context, tokens *access.Service) error { return tokens.Revoke(ctx, args[0]) })
		},
	}
	s.flags(c)
	return c
}

// need makes flags mandatory, which c must have.
func need(c *cobra.Command, flags ...string) *cobra.Command {
	for _, f := range flags {
		_ = c.MarkFlagRequired(f)
	}
	return c
}

// withTokens runs work on the tokens of the configured store.
func (s *settings) withTokens(ctx context.Context, work func(context.Context, *access.Service) error) error {
	cfg, _, err := s.load()
	if err != nil {
		return err
	}
	return failed(onTokens(ctx, cfg, work))
}

// onTokens runs work on the tokens of cfg's store, beside a server if one runs.
func onTokens(ctx context.Context, cfg config.Config, work func(context.Context, *access.Service) error) error {
	return onStore(ctx, cfg, func(ctx context.Context, st *store.Store) error { return work(ctx, access.New(st, time.Now)) })
}

func scopeList() string {
	var names []string
	for _, s := range access.Scopes() {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}

// tokenItem is how a token is shown.
type tokenItem struct {
	ID      string         `json:"id"`
	Name    string         `json:"name"`
	Scopes  []access.Scope `json:"scopes"`
	Created time.Time      `json:"created_at"`
}

func tokenItems(all []access.Token) []tokenItem {
	items := make([]tokenItem, len(all))
	for i, t := range all {
		items[i] = tokenItem{ID: t.ID, Name: t.Name, Scopes: t.Scopes, Created: t.Created}
	}
	return items
}

func writeTokens(w io.Writer, all []access.Token) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tID\tCREATED\tSCOPES")
	for _, item := range tokenItems(all) {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", item.Name, item.ID, item.Created.UTC().Format(time.RFC3339), strings.Trim(fmt.Sprint(item.Scopes), "[]"))
	}
	return t.Flush()
}
