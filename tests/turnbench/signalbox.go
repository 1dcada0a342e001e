package turnbench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"signalbox/internal/access"
	"signalbox/internal/store"
	"signalbox/tests/beside"
	"signalbox/tests/turnbench/wire"
)

// signalboxConfig is the default configuration but for: addresses, quotas that let all allocations in, no logs.
const signalboxConfig = `domain: %[1]s
data_dir: %[2]s
certs: {dir: %[3]s, files: [%[4]s]}
listen: {tls: ["127.0.0.1:0"], xmpp: [], turn: ["127.0.0.1:0"], api: ["127.0.0.1:0"]}
turn: {relay_ip: ["%[5]s"], min_port: %[6]d, max_port: %[7]d, allow_peers: ["%[5]s"], max_allocations: 16000, session_allocations: 16000, technician_allocations: 16000}
log: {level: error}
`

// startSignalbox runs the whole server, whose child is the TURN server: TLS ends in the parent, as it does for everybody.
func (w *world) startSignalbox(ctx context.Context, dir string) (*running, error) {
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	token, err := makeToken(ctx, data)
	if err != nil {
		return nil, fmt.Errorf("make a token: %w", err)
	}
	file := filepath.Join(dir, "signalbox.yaml")
	text := fmt.Sprintf(signalboxConfig, domain, data, filepath.Dir(w.bundleFile), filepath.Base(w.bundleFile), w.relay, minPort, maxPort)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	p, err := beside.Start(exec.CommandContext(ctx, w.signalbox, "serve", "--config", file), dir)
	if err != nil {
		return nil, err
	}
	var addrs map[string][]string
	err = p.AwaitReady(ctx, func() bool {
		text, err := os.ReadFile(filepath.Join(data, "signalbox.ready"))
		return err == nil && json.Unmarshal(text, &addrs) == nil && len(addrs["tls"]) > 0 && len(addrs["api"]) > 0 && len(addrs["turn_udp"]) > 0
	})
	if err != nil {
		p.Stop()
		return nil, err
	}
	return &running{
		Process: p, addrs: map[wire.Transport]string{wire.UDP: addrs["turn_udp"][0], wire.TLS: addrs["tls"][0]},
		credentials: func(ctx context.Context, sessions int) ([]wire.Credential, error) {
			return openSessions(ctx, "http://"+addrs["api"][0], token, sessions)
		},
	}, nil
}

// makeToken makes a token as the command line does: on the store itself.
func makeToken(ctx context.Context, data string) (token string, err error) {
	path, err := store.Locate("", data)
	if err != nil {
		return "", err
	}
	st, err := store.Open(ctx, path, store.Default(), zap.NewNop(), prometheus.NewRegistry())
	if err != nil {
		return "", err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- st.Run(running) }() // stopped and waited for below
	token, _, err = access.New(st, time.Now).Create(ctx, "load", []access.Scope{access.ScopeAdmin})
	stop()
	return token, errors.Join(err, <-ended, st.Close())
}

// openSessions opens bare TURN sessions by the API.
func openSessions(ctx context.Context, api, token string, n int) (all []wire.Credential, err error) {
	for range n {
		var answer struct {
			Sides map[string]struct{ Username, Credential string }
		}
		if err := post(ctx, api+"/v1/turn/sessions", token, `{"ttl":3600}`, &answer); err != nil {
			return nil, err
		}
		for _, side := range []string{"a", "b"} {
			all = append(all, wire.Credential{Username: answer.Sides[side].Username, Password: answer.Sides[side].Credential})
		}
	}
	return all, nil
}

func post(ctx context.Context, url, token, body string, answer any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("POST %s answers %s: %s", url, res.Status, text)
	}
	return json.Unmarshal(text, answer)
}
