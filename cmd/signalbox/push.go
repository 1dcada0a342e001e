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

func pushCommand() *cobra.Command {
	return group("push", "Pushes, over the HTTP API",
		"  signalbox push send pc-1 policy.refresh --ack handled --wait 30s",
		pushSendCommand(),
		pushShowCommand("get", "Show a push with its states", (*client.Client).Push),
		pushShowCommand("cancel", "Cancel a push that is not sent yet", (*client.Client).CancelPush),
		pushExplainCommand())
}

// sending is what push send was asked for.
type sending struct {
	push          client.NewPush
	to            []string // several endpoints; empty: push.To
	payload, file string
	ttl           time.Duration
	wait          time.Duration
}

func pushSendCommand() *cobra.Command {
	var r remote
	var out output
	var s sending
	c := &cobra.Command{
		Use:   "send {ENDPOINT | --to ENDPOINT[,ENDPOINT...]} TYPE",
		Short: "Send a push, and wait for its end if --wait is given",
		Long: "Sends a push and prints its id: then it is on stable storage. With --wait its states are printed as they come; the status is 1 if it does not reach\n" +
			"what --ack asks for in that time.",
		Example: "  signalbox push send pc-1 policy.refresh\n" +
			"  signalbox push send pc-1 agent.ping --payload '{\"n\":1}' --ack handled --wait 30s\n" +
			"  signalbox push send --to pc-1,pc-2 policy.refresh",
		Args: func(c *cobra.Command, args []string) error {
			if len(s.to) > 0 {
				return cobra.ExactArgs(1)(c, args)
			}
			return cobra.ExactArgs(2)(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			s.push.To, s.push.Type = args[0], args[len(args)-1]
			if err := s.complete(c); err != nil {
				return err
			}
			return r.call(c.Context(), func(ctx context.Context, api *client.Client) error {
				return s.send(ctx, api, &out, c.OutOrStdout())
			})
		},
	}
	r.flags(c)
	out.flag(c)
	f := c.Flags()
	f.StringSliceVar(&s.to, "to", nil, "endpoints that get the push, up to 10,000; may be given again")
	f.StringVar(&s.payload, "payload", "", "payload as JSON")
	f.StringVar(&s.file, "payload-file", "", "file with the payload as JSON; - is standard input")
	f.DurationVar(&s.ttl, "ttl", 0, "how long the push lives, in whole seconds; 0s means now or never; the server's default if not given")
	f.StringVar(&s.push.Priority, "priority", "", "high, normal or low; normal if not given")
	f.StringVar(&s.push.Ack, "ack", "", "none, delivered or handled: what counts as done; delivered if not given")
	f.StringVar(&s.push.IdempotencyKey, "idempotency-key", "", "the same key and push sends nothing twice; a new one if not given")
	f.DurationVar(&s.wait, "wait", 0, "how long to wait for the end of the push")
	c.MarkFlagsMutuallyExclusive("payload", "payload-file")
	return c
}

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
	if s.push.IdempotencyKey == "" {
		s.push.IdempotencyKey = client.NewIdempotencyKey() // makes repeating the request after a lost answer safe
	}
	return nil
}

func (s *sending) send(ctx context.Context, api *client.Client, out *output, w io.Writer) error {
	receipt, err := s.submit(ctx, api)
	if err != nil {
		return err
	}
	if s.wait <= 0 {
		return out.print(w, receipt, func(w io.Writer) error {
			state := receipt.State
			if receipt.Targets > 0 {
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
	p, err := follow(ctx, api, receipt.ID, s.wait, func(change client.PushChange) {
		if shown {
			fmt.Fprintf(w, "  %s\n", changeText(change))
		}
	})
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
	if len(s.to) > 0 {
		return api.SendPushToMany(ctx, s.to, s.push)
	}
	return api.SendPush(ctx, s.push)
}

// pushShowCommand is a command that does something with one push and shows it.
func pushShowCommand(use, short string, act func(*client.Client, context.Context, string) (client.Push, error)) *cobra.Command {
	var r remote
	var out output
	c := &cobra.Command{
		Use: use + " ID", Short: short, Example: "  signalbox push " + use + " psh_0sa4jhbsg0000", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return r.call(c.Context(), func(ctx context.Context, api *client.Client) error {
				p, err := act(api, ctx, args[0])
				if err != nil {
					return err
				}
				return out.print(c.OutOrStdout(), p, func(w io.Writer) error { return writePush(w, p) })
			})
		},
	}
	r.flags(c)
	out.flag(c)
	return c
}
