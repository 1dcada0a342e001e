package hostile

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"signalbox/internal/client"
	"signalbox/xmpp"
)

// TestQuarrel: machines that share one identity throw each other out without end.
func TestQuarrel(t *testing.T) {
	s := newStand(t, settings{})
	id := s.register("clone", 1)[0]
	s.run(attack{members: 8, rest: floodRest, most: peakNoise, visit: func(ctx context.Context, member int, standing func()) error {
		w, err := s.connectTLS(ctx, hostileSource)
		if err == nil {
			err = w.authenticate(id, s.secret(id))
		}
		if err == nil {
			err = w.say(bindText)
		}
		if err != nil {
			return err
		}
		standing()
		if member == 0 {
			return nil // so that the last one of a crowd does not wait for ever
		}
		return w.wantOutcome("conflict")
	}})
}

// TestGuessing: strangers that guess the secret of an endpoint whose secret a person chose, which is slow to check.
func TestGuessing(t *testing.T) {
	s := newStand(t, settings{})
	_, err := s.api.CreateEndpoint(t.Context(), client.NewEndpoint{ID: "chosen", Secret: "s3cret-1"})
	must(t, err)
	s.run(attack{members: 32, rest: floodRest, most: peakNoise, visit: func(ctx context.Context, member int, standing func()) error {
		w, err := s.connectTLS(ctx, hostileSource)
		if err == nil {
			err = w.ask(header, "</stream:features>")
		}
		if err != nil {
			return err
		}
		standing()
		for try := range xmpp.Default().LoginTries {
			if err := w.ask(plain("chosen", fmt.Sprintf("guess-%d-%d", member, try)), "</failure>"); err != nil {
				return err
			}
		}
		return w.wantOutcome("policy-violation")
	}})
}

// TestLogs: what strangers say comes into the log neither as lines of its own nor as commands to a terminal, and secrets not at all, however much is logged.
func TestLogs(t *testing.T) {
	s := newStand(t, settings{log: "debug"})
	id := s.register("chatty", 1)[0]
	const secret = "hunter2-hunter2"
	_, err := s.api.CreateEndpoint(t.Context(), client.NewEndpoint{ID: "chosen", Secret: secret})
	must(t, err)
	evil := []string{"a\nERROR forged", "a\r\n2026 error forged", "\x1b[31mred", "\u202eforged", "&#10;error forged"}
	try := func(say ...string) {
		t.Helper()
		w, err := s.connectTLS(t.Context(), hostileSource)
		must(t, err)
		for _, text := range say {
			_ = w.say(text) // the server may have closed before
		}
		_, _ = w.outcome() // whatever it is, the log counts
	}
	for _, e := range evil {
		try(strings.Replace(header, "to='", "from='"+e+"' to='", 1), "</stream:stream>")
		try(strings.Replace(header, "to='", "to='"+e, 1), "</stream:stream>")
		try(header, plain(e, "hunter2-guess"), "</stream:stream>")
		try(header, plain("chosen", secret), header, strings.Replace(bindText, "/>", "><resource>"+e+"</resource></bind>", 1), "</stream:stream>")
		try(header, plain(id, s.secret(id)), header, bindText, "<message to='"+e+"'><"+e+"/></message>", "</stream:stream>")
		try(e)
	}
	text, err := os.ReadFile(s.log())
	must(t, err)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) < 3 || !strings.Contains("debug info warn error", f[1]) || strings.Contains(f[0], "forged") {
			t.Errorf("a line that the server did not mean: %q", line)
		}
		if strings.ContainsAny(strings.TrimSuffix(line, "\n"), "\x1b\r\u202e\n") {
			t.Errorf("a line with commands: %q", line)
		}
		if strings.Contains(line, "hunter2") {
			t.Errorf("a line with a secret: %q", line)
		}
	}
	if n := strings.Count(string(text), "\n"); n < 10 {
		t.Errorf("only %d lines at level debug: this test sees nothing\n%s", n, text)
	}
}
