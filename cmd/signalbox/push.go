package main

import (
	"context"

	"github.com/spf13/cobra"

	"signalbox/internal/client"
)

func pushCommand() *cobra.Command {
	return group("push", "Pushes, over the HTTP API",
		"  signalbox push send pc-1 policy.refresh --ack handled --wait 30s",
		pushSendCommand(),
		pushListCommand(),
		pushShowCommand("get", "Show a push with its states", (*client.Client).Push),
		pushShowCommand("cancel", "Cancel a push that is not sent yet, or all targets of one that are not", (*client.Client).CancelPush),
		pushExplainCommand(),
		pushTailCommand())
}

// pushShowCommand is a command that does something with one push and shows it.
func pushShowCommand(use, short string, act func(*client.Client, context.Context, string) (client.Push, error)) *cobra.Command {
	return oneCommand(use, short, "push "+use+" psh_0sa4jhbsg0000", act, writePush)
}
