package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
)

// TestSecondSignalDoesNotWait: the first lets sessions close over drain.period, the second does not.
func TestSecondSignalDoesNotWait(t *testing.T) {
	in := install(t)
	for range 2 { // the second is told in the middle of the period
		in.openStream(t)
	}
	if err := in.server.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	in.server.end(t, syscall.SIGINT)
	if code := in.server.cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(in.server.said(), "a second signal") {
		t.Errorf("status %d, want 1 and why", code)
	}
}

// openStream opens a stream that stays open until the server ends it.
func (in *installation) openStream(t *testing.T) {
	t.Helper()
	conn, err := tls.Dial("tcp", in.tls, &tls.Config{InsecureSkipVerify: true, ServerName: "lab.example", NextProtos: []string{"xmpp-client"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := fmt.Fprint(conn, "<stream:stream to='lab.example' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Fatalf("a stream is not answered: %v", err)
	}
}
