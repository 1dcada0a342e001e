package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"signalbox/internal/client"
)

// agentConfig is an agent whose handlers write a line when they start, and end when the file "go" is there.
const agentConfig = `id: pc-1
domain: lab.example
addresses: [%[2]q]
ca_file: %[1]s/certs/ca.crt
secret_file: %[1]s/secret.txt
state_dir: %[1]s/state
handlers:
  demo.again:
    command: [sh, -c, 'echo run >> %[1]s/runs; while [ ! -e %[1]s/go ]; do sleep 0.05; done; echo "{\"done\":true}"']
    repeatable: true
  demo.once:
    command: [sh, -c, 'echo run >> %[1]s/runs; while [ ! -e %[1]s/go ]; do sleep 0.05; done; echo "{\"done\":true}"']
`

func (in *installation) runs() int {
	text, err := os.ReadFile(in.path("runs"))
	if err != nil {
		return 0
	}
	return strings.Count(string(text), "\n")
}

func (in *installation) push(t *testing.T, id string) (p client.Push) {
	t.Helper()
	if err := json.Unmarshal([]byte(must(t, in.env, "signalbox", "push", "get", id, "-o", "json")), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// states are those that a push was in, each with its reason.
func states(p client.Push) string {
	var all []string
	for _, change := range p.History {
		all = append(all, stateText(change))
	}
	return strings.Join(all, ", ")
}

// TestAgentIsKilledWhileItHandles: the machine loses its agent in the middle of the work; when the agent is back, the push ends, and the work was done as often as
// its type allows.
func TestAgentIsKilledWhileItHandles(t *testing.T) {
	tests := []struct {
		pushType string
		want     string // last state
		runs     int
	}{
		{"demo.again", "handled", 2},
		{"demo.once", "failed (interrupted)", 1},
	}
	for _, tt := range tests {
		t.Run(tt.pushType, func(t *testing.T) {
			in := install(t)
			file := in.path("agent.yaml")
			writeFile(t, file, fmt.Sprintf(agentConfig, in.dir, in.tls))
			first := start(t, nil, "signalbox-agent", "run", "--config", file)
			id := strings.Fields(must(t, in.env, "signalbox", "push", "send", "pc-1", tt.pushType, "--ack", "handled", "--ttl", "300s"))[0]
			if !eventually(func() bool { return in.runs() == 1 }) {
				t.Fatal("the handler does not start")
			}
			first.end(t, syscall.SIGKILL)
			if p := in.push(t, id); p.State == "handled" || p.State == "failed" {
				t.Fatalf("the push is %s with its handler still running", p.State)
			}

			start(t, nil, "signalbox-agent", "run", "--config", file)
			if tt.runs == 2 && !eventually(func() bool { return in.runs() == 2 }) {
				t.Error("the handler does not run again")
			}
			writeFile(t, in.path("go"), "")
			if !eventually(func() bool { return isOver(in.push(t, id)) }) {
				t.Fatalf("the push does not end: %s", states(in.push(t, id)))
			}
			p := in.push(t, id)
			if got := stateText(last(p)); got != tt.want || in.runs() != tt.runs {
				t.Errorf("after %s the handler ran %d times, want %s and %d", states(p), in.runs(), tt.want, tt.runs)
			}
		})
	}
}

// TestServerIsKilledWithPushesAccepted: what was answered with an id is there after the server was killed, and reaches the endpoint.
func TestServerIsKilledWithPushesAccepted(t *testing.T) {
	in := install(t)
	var ids []string
	for range 5 {
		ids = append(ids, strings.Fields(must(t, in.env, "signalbox", "push", "send", "pc-1", "agent.ping", "--ack", "handled"))[0])
	}
	in.server.end(t, syscall.SIGKILL)
	in.serve(t)
	start(t, nil, "signalbox-agent", "run", "--id", "pc-1", "--domain", "lab.example", "--address", in.tls, "--ca-file", in.path("certs/ca.crt"),
		"--secret-file", in.path("secret.txt"), "--state-dir", in.path("state"))
	for _, id := range ids {
		if !eventually(func() bool { return isOver(in.push(t, id)) }) || in.push(t, id).State != "handled" {
			t.Errorf("push %s: %s", id, states(in.push(t, id)))
		}
	}
}
