package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"signalbox/internal/client"
)

// backupConfig is a server whose endpoints may have much waiting.
const backupConfig = labConfig + "push: {queue_count: 10000}\n"

// accepted are pushes that a server answered with 202.
type accepted struct {
	mu  sync.Mutex
	ids []string
}

func (a *accepted) add(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ids = append(a.ids, id)
}

// soFar returns those that were answered before the call.
func (a *accepted) soFar() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string{}, a.ids...)
}

func (a *accepted) reach(t *testing.T, n int) {
	t.Helper()
	if !eventually(func() bool { return len(a.soFar()) >= n }) {
		t.Fatalf("%d pushes were accepted, want %d", len(a.soFar()), n)
	}
}

// api is a client of the installation's server.
func (in *installation) api(t *testing.T) *client.Client {
	t.Helper()
	c, err := client.New(strings.TrimPrefix(in.env[0], envURL+"="), in.token, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// load posts pushes to endpoints in turn until the returned function is called.
func (in *installation) load(t *testing.T, all *accepted, endpoints ...string) (stop func()) {
	api := in.api(t)
	ctx, cancel := context.WithCancel(t.Context())
	var posting sync.WaitGroup
	for worker := range 4 {
		posting.Go(func() {
			for n := worker; ctx.Err() == nil; n++ {
				r, err := api.SendPush(ctx, client.NewPush{To: endpoints[n%len(endpoints)], Type: "agent.ping", Ack: "handled"})
				switch {
				case err == nil:
					all.add(r.ID)
				case ctx.Err() == nil:
					t.Errorf("a push is refused under load: %v", err)
					return
				}
			}
		})
	}
	return func() { cancel(); posting.Wait() }
}

// enrol registers an endpoint that logs in by its key, and returns the file of its configuration.
func (in *installation) enrol(t *testing.T, id string) string {
	t.Helper()
	var made struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal([]byte(must(t, in.env, "signalbox", "enrolment", "create", "--endpoint", id, "-o", "json")), &made); err != nil {
		t.Fatal(err)
	}
	dir := in.path("agent-" + id)
	must(t, nil, "signalbox-agent", "enroll", "--server", in.tls, "--token", made.Token, "--config-dir", dir, "--ca-file", in.path("certs/ca.crt"), "--proxy", "direct")
	return filepath.Join(dir, "agent.yaml")
}

// elsewhere is the installation's backup, restored into a folder of its own, where a server runs.
func (in *installation) elsewhere(t *testing.T, archive string) *installation {
	t.Helper()
	other := &installation{dir: t.TempDir(), token: in.token}
	said := must(t, nil, "signalbox", "restore", "--data-dir", other.path("data"), archive)
	for _, want := range []string{"restored lab.example of ", "not known here", other.path("data/restored-files")} {
		if !strings.Contains(said, want) {
			t.Errorf("restore does not say %q:\n%s", want, said)
		}
	}
	config, err := os.ReadFile(other.path("data/restored-files" + in.path("signalbox.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, other.path("signalbox.yaml"), string(config))
	if err := os.Symlink(in.path("certs"), other.path("certs")); err != nil {
		t.Fatal(err)
	}
	other.serve(t)
	return other
}

// rank orders the states of a push: where it lost its session it may be accepted again after it was sent.
func rank(state string) int {
	switch state {
	case "accepted", "sent":
		return 0
	case "delivered":
		return 1
	}
	return 2
}

// TestBackupUnderLoad: pushes are posted and handled while the backup is written. On another server every push that was accepted before the backup began is there, and no state is older than
// it was at that time; the endpoints log in with their old secret and their old key, trust grants of the same identity, and handle what waits.
func TestBackupUnderLoad(t *testing.T) {
	in := install(t)
	in.server.end(t, syscall.SIGTERM)
	must(t, nil, "signalbox", "certs", "make-ca", "lab.example", "127.0.0.1", "--force", "--dir", in.path("certs"))
	writeFile(t, in.path("signalbox.yaml"), backupConfig)
	in.serve(t)
	keyed := in.enrol(t, "pc-2")
	agent := start(t, nil, "signalbox-agent", "run", "--config", keyed)
	old, was := in.api(t), map[string]string{}
	if !eventually(func() bool { p, err := old.Presence(t.Context(), "pc-2"); return err == nil && p.State == "online" }) {
		t.Fatal("pc-2 does not log in")
	}
	var all accepted
	stop := in.load(t, &all, "pc-1", "pc-2")
	all.reach(t, 300)
	if !eventually(func() bool {
		done, err := old.Pushes(t.Context(), client.PushFilter{Endpoint: "pc-2", State: "handled", Limit: 1})
		return err == nil && len(done.Items) == 1
	}) {
		t.Fatal("pc-2 handles nothing")
	}
	for _, id := range all.soFar() {
		p, err := old.Push(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		was[id] = p.State
	}
	before := all.soFar()
	archive := in.path("backup.tar.gz")
	said := must(t, nil, "signalbox", "backup", "--config", in.path("signalbox.yaml"), "--output", archive)
	during := len(all.soFar()) - len(before)
	all.reach(t, len(all.soFar())+50)
	stop()
	if during == 0 {
		t.Error("no push was accepted while the backup was written: the writer stood still, or this test sees nothing")
	}
	if info, err := os.Stat(archive); err != nil || info.Mode().Perm() != 0o600 || !strings.Contains(said, "all that was answered before") {
		t.Errorf("%v, %v: %s", info, err, said)
	}
	if _, err := os.Stat(archive + part); !os.IsNotExist(err) {
		t.Errorf("the draft is left: %v", err)
	}
	in.server.end(t, syscall.SIGTERM)
	agent.end(t, syscall.SIGKILL)

	other := in.elsewhere(t, archive)
	key, err := os.ReadFile(in.path("data/identity.key"))
	if restored, err2 := os.ReadFile(other.path("data/identity.key")); err != nil || err2 != nil || !bytes.Equal(key, restored) {
		t.Errorf("the identity key is another: %v, %v", err, err2)
	}
	var open []string // that end at the restored server, or have ended
	handled, api := 0, other.api(t)
	for _, id := range before {
		p, err := api.Push(t.Context(), id)
		if err != nil {
			t.Fatalf("a push that was accepted before the backup is gone: %v", err)
		}
		if state, seen := was[id]; seen && rank(p.State) < rank(state) {
			t.Errorf("%s is %s, and was %s before the backup", id, p.State, state)
		}
		switch p.State {
		case "handled":
			handled++
		case "delivered": // its result came after the backup, to the old server, and comes to no other
			continue
		}
		open = append(open, id)
	}
	if handled == 0 || handled == len(before) {
		t.Errorf("%d of %d pushes were handled: this test sees one state alone", handled, len(before))
	}
	other.greet(t, in, keyed)
	for _, id := range open {
		var p client.Push
		if !eventually(func() bool { p, err = api.Push(t.Context(), id); return err == nil && isOver(p) }) || p.State != "handled" {
			t.Fatalf("%s: %s, %v", id, states(p), err)
		}
	}
	t.Logf("%d pushes before the backup, %d while it was written; of the first %d were handled in it and %d delivered", len(before), during, handled, len(before)-len(open))
}

// greet starts the agents of another installation against this one's server, and has a technician look at the endpoint that knows the server by its identity.
func (in *installation) greet(t *testing.T, old *installation, keyed string) {
	t.Helper()
	text, err := os.ReadFile(keyed)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old.tls) {
		t.Fatalf("the agent's configuration does not name %s:\n%s", old.tls, text)
	}
	writeFile(t, keyed, strings.ReplaceAll(string(text), old.tls, in.tls))
	start(t, nil, "signalbox-agent", "run", "--config", keyed)
	start(t, nil, "signalbox-agent", "run", "--id", "pc-1", "--domain", "lab.example", "--address", in.tls, "--ca-file", old.path("certs/ca.crt"),
		"--secret-file", old.path("secret.txt"), "--state-dir", in.path("state"))
	for _, id := range []string{"pc-1", "pc-2"} {
		if !eventually(func() bool {
			p, err := in.api(t).Presence(t.Context(), id)
			return err == nil && p.State == "online"
		}) {
			t.Fatalf("%s does not log in at the restored server", id)
		}
	}
	var opened struct{ ID string }
	if err := json.Unmarshal([]byte(must(t, in.env, "signalbox", "session", "open", "pc-2", "--consent", "none", "-o", "json")), &opened); err != nil {
		t.Fatal(err)
	}
	if !eventually(func() bool {
		s, err := in.api(t).Session(t.Context(), opened.ID)
		return err == nil && s.AcceptedAt != nil
	}) {
		s, err := in.api(t).Session(t.Context(), opened.ID)
		t.Errorf("pc-2 does not accept a session by a grant of the restored server: %+v, %v", s, err)
	}
}

// TestBackupsOfAServerThatDoesNotRun: it works without one, to standard output too, and what is cut or changed on the way is refused with its reason.
func TestBackupsOfAServerThatDoesNotRun(t *testing.T) {
	in := install(t)
	id := strings.Fields(must(t, in.env, "signalbox", "push", "send", "pc-1", "demo.x", "--ttl", "1h"))[0]
	in.server.end(t, syscall.SIGTERM)
	whole, err := exec.Command(program("signalbox"), "backup", "--config", in.path("signalbox.yaml"), "--certs", "--output", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, in.path("a.tar.gz"), string(whole))
	for _, tc := range []struct {
		bad  []byte
		want string
	}{{whole[:len(whole)/2], "is cut off"}, {whole[:len(whole)-1], "is cut off"}, {flip(whole), "is (damaged|cut off)"}, {[]byte("PK and no more"), "is no backup"}} {
		writeFile(t, in.path("bad.tar.gz"), string(tc.bad))
		out, err := attempt("signalbox", "restore", "--data-dir", in.path("never"), in.path("bad.tar.gz"))
		if err == nil || !regexp.MustCompile("bad.tar.gz "+tc.want).MatchString(out) {
			t.Errorf("%v, %s, want that it %s", err, out, tc.want)
		}
	}
	other := in.elsewhere(t, in.path("a.tar.gz"))
	if p := other.push(t, id); p.State != "accepted" {
		t.Errorf("the push: %s", states(p))
	}
	if bundle, err := os.ReadFile(other.path("data/restored-files" + in.path("certs/lab.example.pem"))); err != nil || !bytes.Contains(bundle, []byte("PRIVATE KEY")) {
		t.Errorf("the bundle that --certs takes: %v", err)
	}
	if _, err := attempt("signalbox", "restore", "--force", "--data-dir", other.path("data"), in.path("a.tar.gz")); err == nil {
		t.Error("a restore under a running server succeeds")
	}
}

func flip(whole []byte) []byte {
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	return flipped
}

// attempt runs a program to its end and returns all that it said.
func attempt(name string, args ...string) (string, error) {
	out, err := exec.Command(program(name), args...).CombinedOutput()
	return string(out), err
}
