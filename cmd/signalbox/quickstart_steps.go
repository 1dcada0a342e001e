package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"signalbox/internal/access"
	"signalbox/internal/app"
	"signalbox/internal/client"
	"signalbox/internal/config"
)

// What the quickstart is made of.
const (
	demoDomain   = "signalbox.localhost"
	demoEndpoint = "pc-1"
	demoType     = "agent.ping" // which every agent handles by itself
	demoToken    = "quickstart"

	demoTechnician = "demo"
)

// prepare finds the agent and writes what the server needs.
func (q *quickstart) prepare(ctx context.Context) (err error) {
	if q.agentPath, err = q.findAgent(ctx); err != nil {
		return err
	}
	return q.prepareServer(ctx)
}

// prepareServer writes what the server needs: certificates, configuration, a token.
func (q *quickstart) prepareServer(ctx context.Context) error {
	if err := q.dir.makeCertificate(demoDomain); err != nil {
		return err
	}
	file, err := q.dir.writeConfig(demoDomain)
	if err != nil {
		return err
	}
	cfg, _, err := config.Load(config.Source{File: file})
	if err != nil {
		return err
	}
	err = onTokens(ctx, cfg, func(ctx context.Context, tokens *access.Service) error {
		if err := tokens.Revoke(ctx, demoToken); err != nil && !errors.Is(err, access.ErrUnknownToken) {
			return err
		}
		var err error
		q.token, _, err = tokens.Create(ctx, demoToken, []access.Scope{access.ScopeAdmin})
		return err
	})
	if err != nil {
		return fmt.Errorf("make a token: %w", err)
	}
	if err := q.dir.write("token", q.token+"\n"); err != nil {
		return err
	}
	q.line("development CA", "%s", q.dir.path("ca.crt"))
	return nil
}

// startServer starts this program as the server and waits until it says where it listens.
func (q *quickstart) startServer(ctx context.Context) (err error) {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	ready := q.dir.path("data", app.ReadyFile)
	if err := os.Remove(ready); err != nil && !os.IsNotExist(err) {
		return err // of a server that was killed
	}
	if q.server, err = startChild("server", q.dir.path("server.log"), q.fail, self, "serve", "--config", q.dir.path(configFile)); err != nil {
		return err
	}
	err = await(ctx, "start the server", startTimeout, func(context.Context) (bool, error) {
		text, err := os.ReadFile(ready)
		if err != nil {
			return false, nil // not yet
		}
		return true, json.Unmarshal(text, &q.addrs)
	})
	if err != nil {
		return err
	}
	for _, name := range []string{"tls", "turn_udp", "api"} {
		if len(q.addrs[name]) == 0 {
			return fmt.Errorf("the server listens on %v, %s may not be missing", q.addrs, name)
		}
	}
	q.line("server", "XMPP over TLS on %s, TURN on %s, API on %s, process %d, log %s", q.addrs["tls"][0], q.addrs["turn_udp"][0], q.url(), q.server.pid(), q.server.log)
	q.api, err = client.New(q.url(), q.token, client.Options{})
	return err
}

// register has the agent enrol, as the endpoint that an earlier run made if there is one.
func (q *quickstart) register(ctx context.Context) error {
	made, err := q.api.CreateEnrolment(ctx, client.NewEnrolment{Endpoint: demoEndpoint, Labels: map[string]string{"made-by": "quickstart"}})
	if err != nil {
		return fmt.Errorf("make an enrolment token: %w", err)
	}
	enroll := exec.CommandContext(ctx, q.agentPath, "enroll", "--server", q.addrs["tls"][0], "--token", "-", "--config-dir", q.dir.path("agent"), "--state-dir", q.dir.path("agent-state"),
		"--ca-file", q.dir.path("ca.crt"), "--proxy", "direct", "--force")
	enroll.Stdin, enroll.Env = strings.NewReader(made.Token), withoutSettings(os.Environ())
	if out, err := enroll.CombinedOutput(); err != nil {
		return fmt.Errorf("enrol the endpoint: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return q.allowLoopback()
}

// allowLoopback has the agent be reached directly by a browser on this very machine.
func (q *quickstart) allowLoopback() error {
	file, err := os.OpenFile(q.dir.path("agent", "agent.yaml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("open the agent's configuration: %w", err)
	}
	_, err = file.WriteString("remote:\n  loopback: true\n")
	return errors.Join(err, file.Close())
}

// startAgent starts the endpoint's program and waits until the server sees it.
func (q *quickstart) startAgent(ctx context.Context) (err error) {
	config := q.dir.path("agent", "agent.yaml")
	if q.agent, err = startChild("agent", q.dir.path("agent.log"), q.fail, q.agentPath, "run", "--config", config, "--log-format", "console"); err != nil {
		return err
	}
	var seen client.Presence
	err = await(ctx, "wait for the endpoint", startTimeout, func(ctx context.Context) (bool, error) {
		var err error
		seen, err = q.api.Presence(ctx, demoEndpoint)
		return seen.State == "online", err
	})
	if err != nil {
		return err
	}
	q.line("endpoint", "%s@%s is online over TLS %s, process %d, log %s", demoEndpoint, demoDomain, seen.TLSVersion, q.agent.pid(), q.agent.log)
	return nil
}

// push sends one push and prints its states as they come.
func (q *quickstart) push(ctx context.Context) error {
	ttl := int64(pushTimeout / time.Second)
	receipt, err := q.api.SendPush(ctx, client.NewPush{
		To: demoEndpoint, Type: demoType, Payload: json.RawMessage(`{"n":1}`), TTL: &ttl, Ack: ackHandled, IdempotencyKey: client.NewIdempotencyKey(),
	})
	if err != nil {
		return fmt.Errorf("post the push: %w", err)
	}
	q.line("push", "%s of type %s", receipt.ID, demoType)
	p, err := follow(ctx, q.api, receipt.ID, pushTimeout, func(client.Push) {}, func(change client.PushChange) { fmt.Fprintf(q.out, "    %s\n", changeText(change)) })
	if err != nil {
		return err
	}
	if p.State != stateHandled {
		return fmt.Errorf("the push ended as %s", stateText(last(p)))
	}
	fmt.Fprintf(q.out, "    result %s\n", p.Result)
	return nil
}

// makeTechnician makes an account of the console with a new password, or gives that of an earlier run one.
func (q *quickstart) makeTechnician(ctx context.Context) error {
	q.password = rand.Text()
	_, err := q.api.CreateTechnician(ctx, client.NewTechnician{Name: demoTechnician, Password: q.password, Roles: []string{"admin"}})
	var known *client.Problem
	if errors.As(err, &known) && known.Code == "technician_exists" {
		_, err = q.api.ChangeTechnician(ctx, demoTechnician, client.TechnicianChange{Password: &q.password})
	}
	if err != nil {
		return fmt.Errorf("make an account of the console: %w", err)
	}
	return nil
}

// line prints one line of the story.
func (q *quickstart) line(what, format string, args ...any) {
	fmt.Fprintf(q.out, "  %-15s %s\n", what, fmt.Sprintf(format, args...))
}
