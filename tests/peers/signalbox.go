package peers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"signalbox/internal/access"
	"signalbox/internal/endpoint"
	"signalbox/internal/store"
	"signalbox/tests/beside"
)

// signalboxConfig is the default configuration but for: ordinary routing, no limits on rates, the resume time of the others, no logs.
const signalboxConfig = `domain: %[1]s
data_dir: %[2]s
certs: {dir: %[3]s, files: [%[4]s]}
listen: {tls: ["127.0.0.1:0"], xmpp: [], turn: [], api: ["127.0.0.1:0"]}
xmpp: {routing: open, stanzas_per_second: 1000000, bytes_per_second: 1073741824, resume_timeout: 300s}
events: {flapping_sessions: 0}
drain: {period: 1s}
log: {level: error}
`

func startSignalbox(ctx context.Context, w *world, dir string) (*running, error) {
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	r := &running{}
	var err error
	if r.token, err = w.fillStore(ctx, data); err != nil {
		return nil, fmt.Errorf("make accounts: %w", err)
	}
	file := filepath.Join(dir, "signalbox.yaml")
	text := fmt.Sprintf(signalboxConfig, domain, data, filepath.Dir(w.bundleFile), filepath.Base(w.bundleFile))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	if r.Process, err = beside.Start(exec.CommandContext(ctx, w.signalbox, "serve", "--config", file), dir); err != nil {
		return nil, err
	}
	var addrs map[string][]string
	err = r.AwaitReady(ctx, func() bool {
		text, err := os.ReadFile(filepath.Join(data, "signalbox.ready"))
		return err == nil && json.Unmarshal(text, &addrs) == nil && len(addrs["tls"]) > 0 && len(addrs["api"]) > 0
	})
	if err != nil {
		r.Stop()
		return nil, err
	}
	r.addr, r.api = addrs["tls"][0], addrs["api"][0]
	return r, nil
}

// fillStore registers the accounts and makes a token, as the API and the command line do, without the cost of one slow hash for each.
func (w *world) fillStore(ctx context.Context, data string) (token string, err error) {
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
	if err == nil {
		err = w.createEndpoints(ctx, st)
	}
	stop()
	return token, errors.Join(err, <-ended, st.Close())
}

func (w *world) createEndpoints(ctx context.Context, st *store.Store) error {
	secret := endpoint.Secret{Scram: map[string]endpoint.ScramKeys{endpoint.ScramSHA256: w.keys}}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(256)
	for n := range w.accounts {
		g.Go(func() error {
			now := time.Now().UTC()
			e := endpoint.Endpoint{Key: endpoint.Key{Domain: domain, ID: account(n)}, Enabled: true, Created: now, Updated: now}
			return st.CreateEndpoint(ctx, e, secret)
		})
	}
	return g.Wait()
}

// account is the name of the nth account, as the load processes know it.
func account(n int) string { return fmt.Sprintf("u%05d", n) }
