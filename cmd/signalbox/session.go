package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"signalbox/internal/client"
)

// What flags of sessions take.
var (
	sessionStates = []string{"open", "requested", "waiting_for_consent", "connecting", "active", "reconnecting", "ended"}
	sessionKinds  = []string{"desktop", "terminal", "files", "processes"}
	sessionMays   = []string{"terminal.type", "files.read", "files.write", "processes.read", "processes.kill", "desktop.view", "desktop.control"}
	consentModes  = []string{"none", "ask_allow", "ask_deny"}
	transports    = []string{"auto", "turn_only", "websocket_only"}
)

func sessionCommand() *cobra.Command {
	return group("session", "Remote sessions of technicians with endpoints, over the HTTP API",
		"  signalbox session open pc-1 --kind terminal,files --why ticket-4711\n  signalbox session list --state open",
		sessionOpenCommand(),
		sessionListCommand(),
		sessionOneCommand("show", "Show a session", (*client.Client).Session, writeSession),
		sessionOneCommand("renew", "Make a new URL for the technician of a session", (*client.Client).RenewSession, writeSessionGrant),
		sessionAttachCommand(),
		sessionOneCommand("end", "End a session and show how it ended", (*client.Client).EndSession, writeSession))
}

// sessionOpening is the command that opens a session.
type sessionOpening struct {
	query
	n              client.NewSession
	consent        client.NewConsent
	timeout        time.Duration
	duration, idle time.Duration
	quiet          bool
}

func sessionOpenCommand() *cobra.Command {
	var o sessionOpening
	c := &cobra.Command{
		Use: "open ENDPOINT", Short: "Open a session and print the URL of its page in the console, which is good for a minute and for one use",
		Example: "  signalbox session open pc-1\n  signalbox session open pc-1 --technician ann --name Ann --kind files --consent ask_deny --why ticket-4711 -o json",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.n.Endpoint = args[0]
			if err := o.tidy(); err != nil {
				return err
			}
			return ask(c, &o.query, func(ctx context.Context, api *client.Client) (client.SessionGrant, error) {
				return api.OpenSession(ctx, o.n)
			}, writeSessionGrant)
		},
	}
	o.flags(c)
	return c
}

func (o *sessionOpening) flags(c *cobra.Command) {
	o.query.flags(c)
	f := c.Flags()
	f.StringVar(&o.n.Technician.ID, "technician", "", "id of the technician, for limits and the audit trail; the user of this command if not given")
	f.StringVar(&o.n.Technician.Name, "name", "", "name of the technician, which the user at the endpoint sees")
	f.StringVar(&o.n.Why, "why", "", "what it is for, such as the number of a ticket")
	f.StringSliceVar(&o.n.Kinds, "kind", []string{"terminal"}, "what may be opened, comma separated: desktop, terminal, files, processes")
	f.StringSliceVar(&o.n.Permissions, "permission", nil, "what may be done, comma separated, such as files.read; all of the kinds if not given")
	f.StringVar(&o.consent.Mode, "consent", "", "none, ask_allow (no answer allows) or ask_deny; as the server is configured if not given")
	f.DurationVar(&o.timeout, "consent-timeout", 0, "how long the user is asked, in whole seconds; as the server is configured if not given")
	f.StringVar(&o.consent.Message, "message", "", "what the user is asked, instead of the agent's own question")
	f.BoolVar(&o.quiet, "quiet", false, "do not show the user that a session runs")
	f.StringVar(&o.n.Transport, "transport", "", "auto, turn_only or websocket_only")
	f.DurationVar(&o.duration, "max-duration", 0, "when it ends, in whole seconds; as the server is configured if not given")
	f.DurationVar(&o.idle, "max-idle", 0, "when it ends if the technician does nothing, in whole seconds; as the server is configured if not given")
	f.Int64Var(&o.n.MaxBytes, "max-bytes", 0, "bytes that may go through the relay; 0: no bound")
	for flag, values := range map[string][]string{"kind": sessionKinds, "permission": sessionMays, "consent": consentModes, "transport": transports} {
		completes(c, flag, values)
	}
}

// tidy makes a request of the flags.
func (o *sessionOpening) tidy() error {
	var errs []error
	seconds := func(flag string, d time.Duration) int {
		if d%time.Second != 0 || d < 0 {
			errs = append(errs, fmt.Errorf("--%s %v: must be whole seconds", flag, d))
		}
		return int(d / time.Second)
	}
	o.consent.Timeout = seconds("consent-timeout", o.timeout)
	o.n.MaxDuration, o.n.MaxIdle = seconds("max-duration", o.duration), seconds("max-idle", o.idle)
	if o.consent != (client.NewConsent{}) {
		o.n.Consent = &o.consent
	}
	if o.quiet {
		o.n.NotifyUser = new(bool)
	}
	if o.n.Technician.ID == "" {
		o.n.Technician.ID = userName()
	}
	return errors.Join(errs...)
}

// userName is who runs this program, as far as that is known.
func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

func sessionListCommand() *cobra.Command {
	var q query
	var f client.SessionFilter
	c := &cobra.Command{
		Use: "list", Short: "List sessions, the newest first", Example: "  signalbox session list --state open --endpoint pc-1", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return ask(c, &q, func(ctx context.Context, api *client.Client) ([]client.Session, error) {
				page, err := api.Sessions(ctx, f)
				return page.Items, err
			}, writeSessions)
		},
	}
	q.flags(c)
	c.Flags().StringVar(&f.State, "state", "", "only sessions in this state, or open: all that have not ended")
	c.Flags().StringVar(&f.Endpoint, "endpoint", "", "only sessions with this endpoint")
	c.Flags().StringVar(&f.Technician, "technician", "", "only sessions of the technician with this id")
	c.Flags().IntVar(&f.Limit, "limit", 100, "how many at most, 1 to 500")
	completes(c, "state", sessionStates)
	return c
}

// sessionOneCommand is a command that does something with one session and prints what it is then.
func sessionOneCommand[T any](use, short string, act func(*client.Client, context.Context, string) (T, error), text func(io.Writer, T) error) *cobra.Command {
	c := oneCommand(use, short, "session "+use+" ses_0sa4jhbsg0000", act, text)
	c.ValidArgsFunction = openSessions
	return c
}

// completes has the shell complete the value of a flag.
func completes(c *cobra.Command, flag string, values []string) {
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
}

// openSessions has the shell complete the id of a session that is open, each with what it is.
func openSessions(c *cobra.Command, args []string, _ string) (ids []string, _ cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second) // the shell waits; commands that complete have no context of their own
	defer cancel()
	err := remoteOf(c).call(ctx, func(ctx context.Context, api *client.Client) error {
		page, err := api.Sessions(ctx, client.SessionFilter{State: "open"})
		for _, s := range page.Items {
			ids = append(ids, s.ID+"\t"+s.Technician.ID+" with "+s.Endpoint)
		}
		return err
	})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}
