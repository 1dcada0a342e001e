package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"signalbox/internal/client"
)

func eventsCommand() *cobra.Command {
	return group("events", "What happens, over the HTTP API", "  signalbox events tail --type cert.* --type server.*", eventsTailCommand())
}

// tailing is a command that shows events as they come.
type tailing struct {
	r      remote
	out    output
	filter client.EventFilter
	count  int
	tidy   func(*tailing, []string) error                                   // takes arguments and flags into the filter
	before func(context.Context, *client.Client, *tailing, io.Writer) error // nil: nothing is shown before the events
}

// flags adds what all of them take.
func (t *tailing) flags(c *cobra.Command) *cobra.Command {
	t.r.flags(c)
	t.out.flag(c)
	f := c.Flags()
	f.StringVar(&t.filter.After, "after", "", "number of the event to go on behind; 0 for all that are kept; what happens from now on if not given")
	f.IntVar(&t.count, "count", 0, "end after so many events; 0 means never")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := t.tidy(t, args); err != nil {
			return err
		}
		return t.r.call(c.Context(), func(ctx context.Context, api *client.Client) error {
			return t.run(ctx, api, c.OutOrStdout(), c.ErrOrStderr())
		})
	}
	return c
}

var errEnoughEvents = errors.New("as many events as were asked for")

// run shows events until there are enough or ctx is done, which is how it ends.
func (t *tailing) run(ctx context.Context, api *client.Client, w, errw io.Writer) error {
	if t.before != nil {
		if err := t.before(ctx, api, t, w); err != nil {
			return err
		}
	}
	shown := 0
	err := api.FollowEvents(ctx, t.filter, func(err error) { fmt.Fprintln(errw, "signalbox: the stream broke and is taken up again:", err) }, func(e client.Event) error {
		if err := t.show(w, e); err != nil {
			return err
		}
		if shown++; shown == t.count {
			return errEnoughEvents
		}
		return nil
	})
	if errors.Is(err, errEnoughEvents) || ctx.Err() != nil {
		return nil
	}
	return err
}

// show writes one event: a line for people, or one of JSON.
func (t *tailing) show(w io.Writer, e client.Event) error {
	if t.out.format == formatText {
		_, err := fmt.Fprintln(printable{w}, eventText(e))
		return err
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(e)
}

// eventText is an event in one line: when, what, to whom, and what is known of it.
func eventText(e client.Event) string {
	line := e.Timestamp.Local().Format("15:04:05.000") + "  " + fmt.Sprintf("%-18s", e.Type)
	for _, word := range []string{e.Endpoint, e.Push, detailText(e)} {
		if word != "" {
			line += "  " + word
		}
	}
	return strings.TrimRight(line, " ")
}

// detailText is what an event's data says to people. What it does not know it shows as it is.
func detailText(e client.Event) string {
	var d struct {
		Type, Reason, Via string
		RemoteAddr        string `json:"remote_addr"`
		TLSVersion        string `json:"tls_version"`
		Result            json.RawMessage
	}
	subject, _, _ := strings.Cut(e.Type, ".")
	if json.Unmarshal(e.Data, &d) != nil || subject != "push" && e.Type != "endpoint.online" && e.Type != "endpoint.offline" {
		if string(e.Data) == "{}" {
			return ""
		}
		return string(e.Data)
	}
	words := []string{d.Type, d.RemoteAddr, d.Via, d.TLSVersion}
	if d.Reason != "" {
		words = append(words, "("+d.Reason+")")
	}
	if len(d.Result) > 0 {
		words = append(words, "result "+string(d.Result))
	}
	return strings.Join(slices.DeleteFunc(words, func(word string) bool { return word == "" }), " ")
}

func eventsTailCommand() *cobra.Command {
	t := &tailing{tidy: func(*tailing, []string) error { return nil }}
	c := t.flags(&cobra.Command{
		Use:   "tail",
		Short: "Show what happens as it happens",
		Long: "Shows events as they happen, one in a line, until it is interrupted. When the connection breaks it is taken up again behind the last event: none is left out\n" +
			"and none shown twice.",
		Example: "  signalbox events tail --type 'endpoint.*'\n  signalbox events tail --after 4711 -o json",
		Args:    cobra.NoArgs,
	})
	c.Flags().StringSliceVar(&t.filter.Types, "type", nil, "only events of this type, or of all of a subject as in push.*; may be repeated")
	c.Flags().StringSliceVar(&t.filter.Endpoints, "endpoint", nil, "only events of this endpoint; may be repeated")
	return c
}

func pushTailCommand() *cobra.Command {
	var states []string
	t := &tailing{tidy: func(t *tailing, args []string) error {
		for _, s := range states {
			t.filter.Types = append(t.filter.Types, "push."+strings.TrimPrefix(s, "push."))
		}
		if len(states) == 0 {
			t.filter.Types = []string{"push.*"}
		}
		if len(args) > 0 {
			t.filter.Push = args[0]
		}
		return nil
	}}
	c := t.flags(&cobra.Command{
		Use:     "tail [ID]",
		Short:   "Show pushes changing their states as it happens: all, or those of one push",
		Long:    "Shows each state that a push comes into, until it is interrupted. With the id of a push to several endpoints it shows those of all its targets.",
		Example: "  signalbox push tail --type failed,expired\n  signalbox push tail psh_0sa4jhbsg0000 -o json",
		Args:    cobra.MaximumNArgs(1),
	})
	c.Flags().StringSliceVar(&states, "type", nil, "only this type of event, such as push.failed or failed; may be repeated")
	c.Flags().StringSliceVar(&t.filter.Endpoints, "endpoint", nil, "only pushes to this endpoint; may be repeated")
	return c
}

func endpointWatchCommand() *cobra.Command {
	t := &tailing{
		tidy: func(t *tailing, args []string) error {
			t.filter.Endpoints = args
			t.filter.Types = []string{"endpoint.online", "endpoint.offline", "endpoint.flapping", "endpoint.cloned", "endpoint.deleted"}
			return nil
		},
		before: showPresences,
	}
	return t.flags(&cobra.Command{
		Use:     "watch [ID...]",
		Short:   "Show endpoints coming and going as it happens: all, or those that are named, of which it first says where they are",
		Example: "  signalbox endpoint watch pc-1 pc-2\n  signalbox endpoint watch -o json",
		Args:    cobra.ArbitraryArgs,
	})
}

// showPresences shows the presences of those that are watched, and has the events go on where these were: nothing is missed between the two.
func showPresences(ctx context.Context, api *client.Client, t *tailing, w io.Writer) error {
	if t.filter.After != "" || t.out.format != formatText || len(t.filter.Endpoints) == 0 {
		return nil
	}
	now, err := api.Events(ctx, t.filter, 1)
	if err != nil {
		return err
	}
	t.filter.After = now.Next
	for _, id := range t.filter.Endpoints {
		p, err := api.Presence(ctx, id)
		if err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		fmt.Fprintf(printable{w}, "%s  %s\n", id, presenceText(p))
	}
	return nil
}
