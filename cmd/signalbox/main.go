// Command signalbox is the server and its operator's tool: it serves endpoints and the management server, and looks after an installation.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
)

func main() {
	debug.SetTraceback("single") // which the runtime turns off for a program with capabilities of its own, as in our container image
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // ends with the process
		<-signals
		cancel()
		<-signals
		fmt.Fprintln(os.Stderr, "signalbox: a second signal: stopped without waiting")
		os.Exit(exitFailed)
	}()
	err := newCommand(os.Stdout, os.Stderr).ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "signalbox:", strings.ReplaceAll(err.Error(), "\n", "\nsignalbox: "))
	}
	os.Exit(exitCode(err))
}
