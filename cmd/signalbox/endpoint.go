package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"signalbox/internal/client"
)

func endpointCommand() *cobra.Command {
	return group("endpoint", "Endpoints, over the HTTP API",
		"  signalbox endpoint create pc-1 --label site=paris",
		endpointCreateCommand(), endpointImportCommand(), endpointListCommand(),
		oneCommand("show", "Show an endpoint and whether it is online", "endpoint show pc-1 -o json", endpointNow, writeEndpoint),
		endpointProbeCommand(), endpointDiagnoseCommand(), endpointTimelineCommand(), endpointWatchCommand(), endpointSecretCommand(),
		endpointActCommand("enable", "Let endpoints log in", func(ctx context.Context, api *client.Client, id string) (string, error) {
			return "enabled", setEnabled(ctx, api, id, true)
		}),
		endpointActCommand("disable", "Let endpoints no longer log in; their sessions end, and their pushes are kept until they expire", func(ctx context.Context, api *client.Client, id string) (string, error) {
			return "disabled", setEnabled(ctx, api, id, false)
		}),
		endpointActCommand("delete", "Remove an endpoint with its pushes; its session ends", func(ctx context.Context, api *client.Client, id string) (string, error) {
			return "deleted", api.DeleteEndpoint(ctx, id)
		}),
		endpointActCommand("disconnect", "End the session of an endpoint, which may come back", func(ctx context.Context, api *client.Client, id string) (string, error) {
			had, err := api.Disconnect(ctx, id)
			if !had {
				return "was not connected", err
			}
			return "disconnected", err
		}),
	)
}

func endpointCreateCommand() *cobra.Command {
	var q query
	var e client.NewEndpoint
	var secretFile string
	var disabled bool
	c := &cobra.Command{
		Use:   "create ID",
		Short: "Register an endpoint; without --secret-file the server makes its secret, which is shown this one time",
		Example: "  signalbox endpoint create pc-1 --label site=paris --group lab\n" +
			"  signalbox endpoint create pc-1 --secret-file secret.txt",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			e.ID = args[0]
			if disabled {
				e.Enabled = new(bool)
			}
			var err error
			if e.Secret, err = readSecret(c.InOrStdin(), secretFile); err != nil {
				return failed(err)
			}
			return ask(c, &q, func(ctx context.Context, api *client.Client) (client.Endpoint, error) {
				return api.CreateEndpoint(ctx, e)
			}, writeEndpoint)
		},
	}
	q.flags(c)
	c.Flags().StringVar(&secretFile, "secret-file", "", "file with the secret; - is standard input")
	c.Flags().StringToStringVar(&e.Labels, "label", nil, "name=value; may be repeated")
	c.Flags().StringSliceVar(&e.Groups, "group", nil, "group that the endpoint is in; may be repeated")
	c.Flags().BoolVar(&disabled, "disabled", false, "register it without letting it log in")
	return c
}

func endpointListCommand() *cobra.Command {
	var q query
	var f client.EndpointFilter
	var flapping, cloned bool
	c := &cobra.Command{
		Use:     "list",
		Short:   "List endpoints",
		Example: "  signalbox endpoint list --state offline --label site=paris\n  signalbox endpoint list --flapping --cloned",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return ask(c, &q, func(ctx context.Context, api *client.Client) ([]client.Endpoint, error) {
				all, err := allEndpoints(ctx, api, f)
				if flapping || cloned {
					all = slices.DeleteFunc(all, func(e client.Endpoint) bool {
						return !(flapping && e.Presence.Flapping || cloned && e.Presence.Cloned != nil)
					})
				}
				return all, err
			}, writeEndpoints)
		},
	}
	q.flags(c)
	c.Flags().StringVar(&f.State, "state", "", "online, offline or never")
	c.Flags().StringVar(&f.Label, "label", "", "name=value")
	c.Flags().StringVar(&f.Group, "group", "", "group that the endpoints are in")
	c.Flags().StringVar(&f.Search, "search", "", "part of the id")
	c.Flags().BoolVar(&flapping, "flapping", false, "only those that come and go too often; with --cloned, those as well")
	c.Flags().BoolVar(&cloned, "cloned", false, "only those as which two machines log in; with --flapping, those as well")
	return c
}

// pageSize is the largest page of a list.
const pageSize = 500

// allEndpoints reads page after page.
func allEndpoints(ctx context.Context, api *client.Client, f client.EndpointFilter) ([]client.Endpoint, error) {
	all := []client.Endpoint{}
	f.Limit = pageSize
	for {
		page, err := api.Endpoints(ctx, f)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if f.Cursor = page.Next; f.Cursor == "" {
			return all, nil
		}
	}
}

// endpointNow returns an endpoint with all that is known of its presence.
func endpointNow(api *client.Client, ctx context.Context, id string) (client.Endpoint, error) {
	e, err := api.Endpoint(ctx, id)
	if err == nil {
		e.Presence, err = api.Presence(ctx, id)
	}
	return e, err
}

func setEnabled(ctx context.Context, api *client.Client, id string, enabled bool) error {
	_, err := api.ChangeEndpoint(ctx, id, client.EndpointChange{Enabled: &enabled})
	return err
}

// endpointActCommand is a command that does something to endpoints and says what became of each.
func endpointActCommand(use, short string, act func(context.Context, *client.Client, string) (string, error)) *cobra.Command {
	return eachCommand(use+" ID...", short, "endpoint "+use+" pc-1", act)
}
