package sessionbench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"signalbox/certs"
	"signalbox/internal/access"
	"signalbox/internal/agent"
	"signalbox/internal/agent/enrol"
	"signalbox/internal/store"
	"signalbox/tests/beside"
)

// config is the default configuration but for addresses and logs, and that no user is asked.
const config = `domain: %[1]s
data_dir: %[2]s
certs: {dir: %[3]s}
listen: {tls: ["127.0.0.1:0"], xmpp: [], turn: ["127.0.0.1:0"], api: ["127.0.0.1:0"]}
turn: {relay_ip: ["%[4]s"]}
session: {consent: none}
log: {level: error}
`

// world is a server, the endpoint pc-1 and a technician.
type world struct {
	dir, ca, token string
	addrs          map[string][]string
	server, agent  *beside.Process
	load           *beside.Worker
}

// start makes all three run.
func start(ctx context.Context, o Options) (w *world, err error) {
	w = &world{}
	if w.dir, err = os.MkdirTemp(o.Dir, "world"); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context, Options) error{w.startServer, w.startAgent, w.startLoad} {
		if err := step(ctx, o); err != nil {
			w.stop()
			return nil, err
		}
	}
	return w, nil
}

func (w *world) stop() {
	if w.load != nil {
		w.load.Stop()
	}
	for _, p := range []*beside.Process{w.agent, w.server} {
		if p != nil {
			p.Stop()
		}
	}
}

// place makes a directory.
func (w *world) place(name string) (string, error) {
	at := filepath.Join(w.dir, name)
	return at, os.Mkdir(at, 0o700)
}

func (w *world) startServer(ctx context.Context, o Options) error {
	data, errData := w.place("data")
	bundles, errBundles := w.place("certs")
	relay, errRelay := beside.Address()
	ca, bundle, errCA := certs.MakeCA(certs.CAOptions{Names: []string{domain, "127.0.0.1"}})
	if err := errors.Join(errData, errBundles, errRelay, errCA); err != nil {
		return err
	}
	w.ca = filepath.Join(w.dir, "ca.pem")
	file := filepath.Join(w.dir, "signalbox.yaml")
	err := errors.Join(
		os.WriteFile(w.ca, ca, 0o644), os.WriteFile(filepath.Join(bundles, domain+".pem"), bundle, 0o600),
		os.WriteFile(file, fmt.Appendf(nil, config, domain, data, bundles, relay), 0o600),
	)
	if err == nil {
		w.token, err = makeToken(ctx, data)
	}
	if err != nil {
		return err
	}
	if w.server, err = beside.Start(exec.CommandContext(ctx, o.Signalbox, "serve", "--config", file), w.dir); err != nil {
		return err
	}
	return w.server.AwaitReady(ctx, func() bool {
		text, err := os.ReadFile(filepath.Join(data, "signalbox.ready"))
		return err == nil && json.Unmarshal(text, &w.addrs) == nil && len(w.addrs["tls"]) > 0 && len(w.addrs["api"]) > 0 && len(w.addrs["turn_udp"]) > 0
	})
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

func (w *world) api() string { return "http://" + w.addrs["api"][0] }

// startAgent enrols pc-1 and runs its agent.
func (w *world) startAgent(ctx context.Context, o Options) error {
	var made struct{ Token string }
	if err := w.post(ctx, "/v1/enrolments", `{"endpoint":"pc-1"}`, &made); err != nil {
		return err
	}
	_, port, _ := strings.Cut(w.addrs["tls"][0], ":")
	done, err := enrol.Run(ctx, enrol.Options{
		Server: domain + ":" + port, Token: made.Token, ConfigDir: filepath.Join(w.dir, "agent"), CAFile: w.ca, Proxy: "direct", Interception: agent.InterceptionDeny,
	})
	if err != nil {
		return err
	}
	text, err := os.ReadFile(done.Config)
	if err == nil {
		err = os.WriteFile(done.Config, append(text, "\nremote: {loopback: true}\nlog: {level: error}\n"...), 0o600)
	}
	if err != nil {
		return err
	}
	place, err := w.place("endpoint")
	if err != nil {
		return err
	}
	home, err := w.place("home")
	if err != nil {
		return err
	}
	ready := filepath.Join(place, "ready")
	cmd := exec.CommandContext(ctx, o.Agent, "run", "--config", done.Config, "--ready-file", ready)
	cmd.Env = append(os.Environ(), "HOME="+home) // what the user has the shell do before it says anything is not ours
	if w.agent, err = beside.Start(cmd, place); err != nil {
		return err
	}
	return w.agent.AwaitReady(ctx, func() bool {
		_, err := os.Stat(ready)
		return err == nil
	})
}

func (w *world) post(ctx context.Context, path, body string, answer any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.api()+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+w.token)
	r.Header.Set("Content-Type", "application/json")
	r.Close = true
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("POST %s answers %s", path, res.Status)
	}
	return json.NewDecoder(res.Body).Decode(answer)
}

// startLoad runs the technician, which keeps the files that it receives beside those of the endpoint.
func (w *world) startLoad(ctx context.Context, o Options) (err error) {
	place, err := w.place("load")
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, o.Load, "-api", w.api(), "-ca", w.ca, "-dir", o.Files)
	cmd.Env = append(os.Environ(), "TOKEN="+w.token)
	w.load, err = beside.StartWorker(cmd, place)
	return err
}
