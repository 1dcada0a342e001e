package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"signalbox/internal/client"
)

// sending is what push send was asked for.
type sending struct {
	push          client.NewPush
	to            []string // several endpoints
	selector      client.Selector
	late          bool
	batch         string // file with many pushes
	payload, file string
	notBefore     string
	ttl           time.Duration
	wait          time.Duration
}

func pushSendCommand() *cobra.Command {
	var r remote
	var out output
	var s sending
	c := &cobra.Command{
		Use:   "send {ENDPOINT | --to ENDPOINT[,ENDPOINT...] | --group GROUP | --label NAME=VALUE} TYPE, or send --batch FILE",
		Short: "Send a push, and wait for its end if --wait is given",
		Long: "Sends a push and prints its id: then it is on stable storage. With --wait its states are printed as they come, and how far one to many endpoints is on\n" +
			"standard error; the status is 1 if it does not reach what --ack asks for in that time.\n\n" +
			"A batch file has one push a line, as JSON with the fields of the API: to, type, payload, payload_base64, ttl, priority, ack, collapse_key, not_before.\n" +
			"What became of each is printed in their order; the status is 1 if one was refused.",
		Example: "  signalbox push send pc-1 policy.refresh\n" +
			"  signalbox push send pc-1 agent.ping --payload '{\"n\":1}' --ack handled --wait 30s\n" +
			"  signalbox push send --to pc-1,pc-2 policy.refresh\n" +
			"  signalbox push send --group lab --label site=paris policy.refresh --collapse-key policy --not-before 2h --wait 1m\n" +
			"  signalbox push send --batch pushes.ndjson",
		Args: func(c *cobra.Command, args []string) error { return cobra.ExactArgs(s.arguments())(c, args) },
		RunE: func(c *cobra.Command, args []string) error {
			if s.batch != "" {
				return s.sendBatch(c, &r, &out)
			}
			s.push.To, s.push.Type = args[0], args[len(args)-1]
			if err := s.complete(c); err != nil {
				return err
			}
			return r.call(c.Context(), func(ctx context.Context, api *client.Client) error {
				return s.send(ctx, api, &out, c.OutOrStdout(), c.ErrOrStderr())
			})
		},
	}
	r.flags(c)
	out.flag(c)
	s.flags(c)
	return c
}

func (s *sending) flags(c *cobra.Command) {
	s.pushFlags(c)
	f := c.Flags()
	f.BoolVar(&s.late, "late-joiners", false, "with --group or --label: endpoints that come to match before the push expires get it as well")
	f.StringVar(&s.batch, "batch", "", "file with pushes, one a line; - is standard input")
	f.DurationVar(&s.ttl, "ttl", 0, "how long the push lives, in whole seconds; 0s means now or never; the server's default if not given")
	f.StringVar(&s.notBefore, "not-before", "", "earliest delivery: a time such as 2026-01-01T00:00:00Z, or how long from now, such as 2h")
	f.StringVar(&s.push.IdempotencyKey, "idempotency-key", "", "the same key and push sends nothing twice; a new one if not given")
	f.DurationVar(&s.wait, "wait", 0, "how long to wait for the end of the push")
	for _, name := range []string{
		"to", "group", "label", "late-joiners", "payload", "payload-file", "ttl", "priority", "ack", "collapse-key", "not-before", "wait",
	} {
		c.MarkFlagsMutuallyExclusive("batch", name)
	}
}

// pushFlags adds the flags that say what is pushed, and to whom, alike for one push and for a campaign.
func (s *sending) pushFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringSliceVar(&s.to, "to", nil, "endpoints that get the push, up to 10,000; may be given again")
	f.StringVar(&s.selector.Group, "group", "", "group whose endpoints get the push")
	f.StringToStringVar(&s.selector.Labels, "label", nil, "name=value that the endpoints have; all that are given")
	f.StringVar(&s.payload, "payload", "", "payload as JSON")
	f.StringVar(&s.file, "payload-file", "", "file with the payload as JSON; - is standard input")
	f.StringVar(&s.push.Priority, "priority", "", "high, normal or low; normal if not given")
	f.StringVar(&s.push.Ack, "ack", "", "none, delivered or handled: what counts as done; delivered if not given")
	f.StringVar(&s.push.CollapseKey, "collapse-key", "", "a newer push with the same key replaces this one while it waits")
	c.MarkFlagsMutuallyExclusive("payload", "payload-file")
	c.MarkFlagsMutuallyExclusive("to", "group")
	c.MarkFlagsMutuallyExclusive("to", "label")
}

// arguments is how many there must be beside the flags.
func (s *sending) arguments() int {
	switch {
	case s.batch != "":
		return 0
	case len(s.to) > 0 || s.selects():
		return 1
	}
	return 2
}

func (s *sending) selects() bool { return s.selector.Group != "" || len(s.selector.Labels) > 0 }

// complete takes what the flags say into the push.
func (s *sending) complete(c *cobra.Command) error {
	text := []byte(s.payload)
	if s.file != "" {
		var err error
		if text, err = readInput(c.InOrStdin(), s.file); err != nil {
			return failed(err)
		}
	}
	if len(text) > 0 && !json.Valid(text) {
		return errors.New("the payload is not JSON")
	}
	s.push.Payload = text
	if c.Flags().Changed("ttl") {
		seconds := int64(s.ttl / time.Second)
		if s.ttl%time.Second != 0 {
			return fmt.Errorf("--ttl %v: must be whole seconds", s.ttl)
		}
		s.push.TTL = &seconds
	}
	if s.late && !s.selects() {
		return errors.New("--late-joiners is for --group and --label")
	}
	if err := s.schedule(time.Now()); err != nil {
		return err
	}
	s.push.IdempotencyKey = keyOr(s.push.IdempotencyKey)
	return nil
}

// keyOr returns the key, or a new one, which makes repeating the request after a lost answer safe.
func keyOr(key string) string {
	if key == "" {
		return client.NewIdempotencyKey()
	}
	return key
}

// schedule reads --not-before.
func (s *sending) schedule(now time.Time) error {
	if s.notBefore == "" {
		return nil
	}
	at, err := time.Parse(time.RFC3339, s.notBefore)
	if err != nil {
		wait, errWait := time.ParseDuration(s.notBefore)
		if errWait != nil || wait < 0 {
			return fmt.Errorf("--not-before %q: must be a time such as 2026-01-01T00:00:00Z, or a duration such as 2h", s.notBefore)
		}
		at = now.Add(wait).UTC()
	}
	s.push.NotBefore = &at
	return nil
}

func (s *sending) send(ctx context.Context, api *client.Client, out *output, w, progress io.Writer) error {
	receipt, err := s.submit(ctx, api)
	if err != nil {
		return err
	}
	if s.wait <= 0 {
		return out.print(w, receipt, func(w io.Writer) error {
			state := receipt.State
			if receipt.State == "" {
				state = countsText(receipt.Counts)
			}
			_, err := fmt.Fprintf(w, "%s  %s\n", receipt.ID, state)
			return err
		})
	}
	shown := out.format == formatText
	if shown {
		fmt.Fprintln(w, receipt.ID)
	}
	bar := newBar(progress)
	p, err := follow(ctx, api, receipt.ID, s.wait, bar.show, func(change client.PushChange) {
		if shown {
			fmt.Fprintf(w, "  %s\n", changeText(change))
		}
	})
	bar.end()
	if err != nil {
		return err
	}
	err = out.print(w, p, func(w io.Writer) error { return writeEnd(w, p) })
	if err == nil && !isDone(p) {
		err = fmt.Errorf("push %s ended as %s", p.ID, summary(p))
	}
	return err
}

func (s *sending) submit(ctx context.Context, api *client.Client) (client.Receipt, error) {
	switch {
	case len(s.to) > 0:
		return api.SendPushToMany(ctx, s.to, s.push)
	case s.selects():
		return api.SendPushToSelected(ctx, s.selector, s.late, s.push)
	}
	return api.SendPush(ctx, s.push)
}
