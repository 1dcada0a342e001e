package powercut

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
)

// What a line of a ledger says. The words after it are an order's number, a push's id or an endpoint's id.
const (
	saidAsked     = "asked"     // ORDER: the request is about to be sent
	saidAccepted  = "accepted"  // ORDER PUSH: 202
	saidCancelled = "cancelled" // PUSH: DELETE was answered
	saidCounted   = "counted"   // PUSH STATE: the server counted the receipt or the result (XEP-0198)
	saidShown     = "shown"     // PUSH STATE: GET answered this state
	saidEndpoint  = "endpoint"  // ID: 201
)

// ledger is a list of what was acknowledged. It lies outside of the images, and each line is with the kernel before its writer goes on.
type ledger struct {
	path string
	file *os.File
}

func newLedger(t *testing.T, path string) *ledger {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return &ledger{path, f}
}

// note writes a line. It may be called concurrently.
func (l *ledger) note(words ...any) {
	if _, err := l.file.WriteString(fmt.Sprintln(words...)); err != nil {
		panic(err) // nothing that follows would mean anything
	}
}

// readLedger returns the words of every whole line.
func readLedger(t *testing.T, path string) [][]string {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	var all [][]string
	for line := range strings.Lines(string(text)) {
		all = append(all, strings.Fields(line))
	}
	return all
}
