package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"signalbox/internal/client"
)

func technicianCommand() *cobra.Command {
	return group("technician", "Accounts of the technicians' console and their roles, over the HTTP API",
		"  signalbox technician create ada --role operator --password-file password.txt",
		technicianCreateCommand(), technicianListCommand(), technicianRolesCommand(), technicianPasswordCommand(), technicianLinkCommand(), technicianRoleCommand(),
		technicianActCommand("enable", "Let technicians sign in", func(ctx context.Context, api *client.Client, name string) (string, error) {
			return "enabled", enableTechnician(ctx, api, name, true)
		}),
		technicianActCommand("disable", "Let technicians no longer sign in; they are signed out and their sessions end", func(ctx context.Context, api *client.Client, name string) (string, error) {
			return "disabled", enableTechnician(ctx, api, name, false)
		}),
		technicianActCommand("delete", "Remove accounts; those who had them are signed out and their sessions end", func(ctx context.Context, api *client.Client, name string) (string, error) {
			return "deleted", api.DeleteTechnician(ctx, name)
		}),
	)
}

func technicianCreateCommand() *cobra.Command {
	var q query
	var n client.NewTechnician
	var passwordFile string
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Make an account; without --password-file it signs in by links alone",
		Long: "Makes an account of the console. Roles say what it may do: viewer sees endpoints, operator opens sessions with them, admin also ends those of others, and there\n" +
			"are those of your own (signalbox technician role create). Without --password-file nobody can sign in but by a link (signalbox technician link).",
		Example: "  signalbox technician create ada --display-name Ada --role operator --password-file password.txt\n" +
			"  signalbox technician create grace --role viewer",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			n.Name = args[0]
			var err error
			if n.Password, err = readSecret(c.InOrStdin(), passwordFile); err != nil {
				return failed(err)
			}
			return ask(c, &q, func(ctx context.Context, api *client.Client) (client.TechnicianAccount, error) {
				return api.CreateTechnician(ctx, n)
			}, writeTechnician)
		},
	}
	q.flags(c)
	c.Flags().StringVar(&n.DisplayName, "display-name", "", "what users at endpoints are shown; the name if not given")
	c.Flags().StringSliceVar(&n.Roles, "role", nil, "role; may be given again")
	c.Flags().StringVar(&passwordFile, "password-file", "", "file with the password, at least 12 bytes; - is standard input")
	return c
}

func technicianListCommand() *cobra.Command {
	var q query
	c := &cobra.Command{
		Use: "list", Short: "List accounts by name", Example: "  signalbox technician list -o json", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return ask(c, &q, func(ctx context.Context, api *client.Client) ([]client.TechnicianAccount, error) {
				return allTechnicians(ctx, api)
			}, writeTechnicians)
		},
	}
	q.flags(c)
	return c
}

// allTechnicians reads page after page.
func allTechnicians(ctx context.Context, api *client.Client) ([]client.TechnicianAccount, error) {
	all := []client.TechnicianAccount{}
	for cursor := ""; ; {
		page, err := api.Technicians(ctx, pageSize, cursor)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if cursor = page.Next; cursor == "" {
			return all, nil
		}
	}
}

func technicianRolesCommand() *cobra.Command {
	var q query
	c := &cobra.Command{
		Use: "roles NAME [ROLE...]", Short: "Give a technician these roles in place of those before; none takes all away",
		Example: "  signalbox technician roles ada operator paris-desk", Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			roles := append([]string{}, args[1:]...)
			return ask(c, &q, func(ctx context.Context, api *client.Client) (client.TechnicianAccount, error) {
				return api.ChangeTechnician(ctx, args[0], client.TechnicianChange{Roles: &roles})
			}, writeTechnician)
		},
	}
	q.flags(c)
	return c
}

func technicianPasswordCommand() *cobra.Command {
	var r remote
	var passwordFile string
	c := &cobra.Command{
		Use: "password NAME", Short: "Give a technician a new password, who has to sign in again; without --password-file there is none any more",
		Example: "  signalbox technician password ada --password-file password.txt", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			password, err := readSecret(c.InOrStdin(), passwordFile)
			if err != nil {
				return failed(err)
			}
			return r.call(c.Context(), func(ctx context.Context, api *client.Client) error {
				_, err := api.ChangeTechnician(ctx, args[0], client.TechnicianChange{Password: &password})
				return err
			})
		},
	}
	r.flags(c)
	c.Flags().StringVar(&passwordFile, "password-file", "", "file with the password, at least 12 bytes; - is standard input")
	return c
}

func technicianLinkCommand() *cobra.Command {
	var q query
	c := &cobra.Command{
		Use: "link NAME", Short: "Print a link that signs a technician in to the console, once, within 60 seconds",
		Example: "  signalbox technician link ada", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return ask(c, &q, func(ctx context.Context, api *client.Client) (client.TechnicianLink, error) {
				return api.LinkTechnician(ctx, args[0])
			},
				func(w io.Writer, link client.TechnicianLink) error {
					_, err := fmt.Fprintln(w, link.URL)
					return err
				})
		},
	}
	q.flags(c)
	return c
}

func enableTechnician(ctx context.Context, api *client.Client, name string, enabled bool) error {
	_, err := api.ChangeTechnician(ctx, name, client.TechnicianChange{Enabled: &enabled})
	return err
}

// technicianActCommand is a command that does something to accounts, or roles, and says what became of each.
func technicianActCommand(use, short string, act func(context.Context, *client.Client, string) (string, error)) *cobra.Command {
	return eachCommand(use+" NAME...", short, "technician "+use+" ada", act)
}
