package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"signalbox/internal/client"
)

func technicianRoleCommand() *cobra.Command {
	return group("role", "Roles: what may be done on which endpoints",
		"  signalbox technician role create paris-desk --kind terminal,processes --group paris",
		technicianRoleCreateCommand(), technicianRoleListCommand(),
		technicianActCommand("delete", "Remove roles that nobody has", func(ctx context.Context, api *client.Client, name string) (string, error) {
			return "deleted", api.DeleteRole(ctx, name)
		}))
}

func technicianRoleCreateCommand() *cobra.Command {
	var q query
	var n client.NewRole
	c := &cobra.Command{
		Use: "create NAME", Short: "Make a role",
		Example: "  signalbox technician role create paris-desk --kind terminal,processes --group paris\n" +
			"  signalbox technician role create readers --kind files --permission files.read --label site=lyon",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			n.Name = args[0]
			return ask(c, &q, func(ctx context.Context, api *client.Client) (client.Role, error) { return api.CreateRole(ctx, n) },
				func(w io.Writer, made client.Role) error { return writeRoles(w, []client.Role{made}) })
		},
	}
	q.flags(c)
	f := c.Flags()
	f.StringSliceVar(&n.Kinds, "kind", nil, "kinds of sessions that may be opened: desktop, terminal, files, processes; none if not given")
	f.StringSliceVar(&n.Permissions, "permission", nil, "permissions within the kinds, such as files.read; all if not given")
	f.StringSliceVar(&n.Groups, "group", nil, "only for endpoints in one of these groups")
	f.StringToStringVar(&n.Labels, "label", nil, "only for endpoints with all of these labels, name=value")
	f.BoolVar(&n.ManagesSessions, "manages-sessions", false, "sees and ends sessions of others on these endpoints")
	return c
}

func technicianRoleListCommand() *cobra.Command {
	var q query
	c := &cobra.Command{
		Use: "list", Short: "List roles, first those that are built in", Example: "  signalbox technician role list", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return ask(c, &q, func(ctx context.Context, api *client.Client) ([]client.Role, error) { return api.Roles(ctx) }, writeRoles)
		},
	}
	q.flags(c)
	return c
}

func writeTechnician(w io.Writer, one client.TechnicianAccount) error {
	return writeTechnicians(w, []client.TechnicianAccount{one})
}

func writeTechnicians(w io.Writer, all []client.TechnicianAccount) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tSHOWN AS\tROLES\tSTATE\tSIGNS IN BY\tID")
	for _, one := range all {
		state, by := "enabled", "link"
		if !one.Enabled {
			state = "disabled"
		}
		if one.HasPassword {
			by = "password, link"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", one.Name, cmp.Or(one.DisplayName, one.Name), cmp.Or(strings.Join(one.Roles, ", "), "-"), state, by, one.ID)
	}
	return t.Flush()
}

func writeRoles(w io.Writer, all []client.Role) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tKINDS\tPERMISSIONS\tENDPOINTS\tSESSIONS OF OTHERS")
	for _, r := range all {
		var where []string
		if len(r.Groups) > 0 {
			where = append(where, "in "+strings.Join(r.Groups, " or "))
		}
		for _, name := range slices.Sorted(maps.Keys(r.Labels)) {
			where = append(where, name+"="+r.Labels[name])
		}
		manages := "no"
		if r.ManagesSessions {
			manages = "yes"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", r.Name, cmp.Or(strings.Join(r.Kinds, ", "), "-"), cmp.Or(strings.Join(r.Permissions, ", "), "-"), cmp.Or(strings.Join(where, ", "), "all"), manages)
	}
	return t.Flush()
}
