package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"signalbox/internal/client"
	"signalbox/internal/support"
)

// members are what is in a bundle, by name.
func members(t *testing.T, packed []byte) map[string][]byte {
	t.Helper()
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]byte{}
	for r := tar.NewReader(unpacked); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if found[strings.TrimPrefix(h.Name, "signalbox-support/")], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

// secretConfig has a secret in every place that takes one.
const secretConfig = `domain: lab.example
data_dir: data
certs: {dir: certs}
listen: {tls: ["127.0.0.1:0"], xmpp: [], turn: [], api: ["127.0.0.1:0"], component: ["127.0.0.1:0"]}
xmpp: {shutdown_timeout: 1s, components: {gate.lab.example: component.secret}, status_urls: ["https://ann:planted-status-url@status.example/x?key=planted-status-query"]}
turn: {secret_file: turn.secret, rest_secret_file: rest.secret, external_secret_file: external.secret, servers: ["turn:turn.example:3478"]}
events: {secret_file: events.secret}
log: {level: debug}
`

// Places of secrets that the command cannot know the value of.
const (
	unlogged        = "an endpoint"
	unloggedPayload = "a payload"
	storedHook      = "a webhook"
	strange         = "a stranger's token in the log"
	strangeHook     = "a webhook in the log"
	strangePassword = "a password in the log"
)

// plant makes an installation with secrets in all places, and returns them by where they are.
func plant(t *testing.T) (*installation, map[string]string) {
	t.Helper()
	in := install(t)
	in.server.end(t, syscall.SIGTERM)
	planted := map[string]string{
		unlogged: "planted-endpoint-secret-1", unloggedPayload: "planted-push-payload-1", "variable": "planted-variable-secret-1", "proxy": "planted-proxy-password-1",
		"status URL": "planted-status-url", "status query": "planted-status-query", "token": in.token, strange: "sbx_plantedStrangersTokenInTheLog0123456789",
		strangeHook: "whsec_" + base64.StdEncoding.EncodeToString([]byte("planted-webhook-secret-012345678")), strangePassword: "planted-log-password",
	}
	for _, name := range []string{"component", "turn", "rest", "external"} {
		planted[name] = "planted-" + name + "-secret-0123456789"
		writeFile(t, in.path(name+".secret"), planted[name]+"\n")
	}
	planted["events"] = "whsec_" + base64.StdEncoding.EncodeToString([]byte("planted-events-secret-0123456789"))
	writeFile(t, in.path("events.secret"), planted["events"]+"\n")
	writeFile(t, in.path("signalbox.yaml"), secretConfig)
	in.serve(t)
	writeFile(t, in.path("planted.txt"), planted[unlogged])
	must(t, in.env, "signalbox", "endpoint", "create", "pc-9", "--secret-file", in.path("planted.txt"))
	must(t, in.env, "signalbox", "push", "send", "pc-9", "demo.x", "--payload", `"`+planted[unloggedPayload]+`"`)
	hook, err := in.api(t).CreateWebhook(t.Context(), client.NewWebhook{URL: "https://hooks.example/planted", Enabled: new(bool)})
	if err != nil || hook.Secret == "" {
		t.Fatal(hook, err)
	}
	planted[storedHook] = hook.Secret
	for name, path := range map[string]string{"identity key": "data/identity.key", "auth key": "data/auth.key", "private key": "certs/lab.example.pem"} {
		text, err := os.ReadFile(in.path(path))
		if err != nil {
			t.Fatal(err)
		}
		planted[name] = string(text)
	}
	planted["identity key"] = strings.Split(planted["identity key"], "\n")[1]
	key := planted["private key"]
	key = key[strings.Index(key, "PRIVATE KEY-----")+len("PRIVATE KEY-----"):]
	planted["private key"] = strings.TrimSpace(strings.Split(key, "\n")[1])
	return in, planted
}

// TestSupportBundleHasNoSecrets: secrets stand in every place that takes one, in the log in every spelling, and none of them is in any member of the bundle, in none of these spellings.
func TestSupportBundleHasNoSecrets(t *testing.T) {
	in, planted := plant(t)
	var log strings.Builder
	log.WriteString(in.server.said())
	for where, secret := range planted {
		forms := spelled(secret)
		switch where {
		case unlogged, unloggedPayload, storedHook: // no log has them, and nothing that is kept says what they are
			forms = nil
		case strange, strangeHook, strangePassword: // what they are is not known here: only their looks tell
			forms = forms[:1]
		}
		for _, form := range forms {
			if where == strangePassword {
				form = "password=" + form
			}
			log.WriteString(`{"level":"info","msg":"said ` + form + "\"}\n")
		}
	}
	log.WriteString("the last line\n")
	writeFile(t, in.path("server.log"), log.String())

	cmd := exec.Command(program("signalbox"), "support-bundle", "--config", in.path("signalbox.yaml"), "--output", "-", "--log", in.path("server.log"), "--check-database")
	cmd.Env = append(os.Environ(), append(in.env, "MY_SECRET="+planted["variable"], "https_proxy=http://ann:"+planted["proxy"]+"@proxy.example:3128")...)
	var said bytes.Buffer
	cmd.Stderr = &said
	packed, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	found := members(t, packed)
	checkMembers(t, found)
	for where, secret := range planted {
		for _, form := range spelled(secret) {
			for name, text := range found {
				if bytes.Contains(text, []byte(form)) {
					t.Errorf("the secret of %s is in %s, as %s", where, name, form)
				}
			}
			if strings.Contains(said.String(), form) {
				t.Errorf("the command says the secret of %s", where)
			}
		}
	}
	if !bytes.Contains(found["log.txt"], []byte("the last line")) || !bytes.Contains(found["log.txt"], []byte("[removed]")) {
		t.Error("the log is not in the bundle, or nothing was taken out of it")
	}
}

// checkMembers looks whether all that helps is there.
func checkMembers(t *testing.T, found map[string][]byte) {
	t.Helper()
	var index support.Index
	if err := json.Unmarshal(found[support.IndexName], &index); err != nil {
		t.Fatal(err)
	}
	if len(index.Missing) != 0 {
		t.Errorf("missing %v", index.Missing)
	}
	for name, piece := range map[string]string{
		"version.json": `"go"`, "configuration.yaml": "domain: lab.example", "configuration.json": `"warnings"`, "doctor.json": `"step": "tls"`, "server.json": `"ready": true`,
		"refusals.json": `"step": "server"`, "metrics.txt": "signalbox_store_", "certificates.json": `"not_after"`, "database.json": `"damage": "none"`, "system.json": "ip_local_port_range", "log.txt": "listening",
	} {
		if !bytes.Contains(found[name], []byte(piece)) {
			t.Errorf("%s does not contain %s: %.2000s", name, piece, found[name])
		}
	}
	if len(found) != 12 {
		t.Errorf("members %v", slices.Sorted(maps.Keys(found)))
	}
}

// spelled are ways in which a secret may stand in a text.
func spelled(secret string) []string {
	return []string{
		secret, base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)), hex.EncodeToString([]byte(secret)),
		url.QueryEscape(secret), url.PathEscape(secret),
	}
}

// TestSupportBundleWithoutAServer: it says what it could not gather, and is made all the same.
func TestSupportBundleWithoutAServer(t *testing.T) {
	in := install(t)
	in.server.end(t, syscall.SIGTERM)
	said := must(t, in.env, "signalbox", "support-bundle", "--config", in.path("signalbox.yaml"), "--output", in.path("bundle.tar.gz"))
	for _, want := range []string{"8 members; look into it", "\nmetrics.txt: ", "\nserver.json: ", "\nlog.txt: no log was given", "\nrefusals.json: "} {
		if !strings.Contains(said, want) {
			t.Errorf("does not say %q:\n%s", want, said)
		}
	}
	info, err := os.Stat(in.path("bundle.tar.gz"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestReloadAsksTheServer(t *testing.T) {
	in := install(t)
	before := len(in.server.said())
	must(t, nil, "signalbox", "reload", "--config", in.path("signalbox.yaml"))
	if !eventually(func() bool { return strings.Contains(in.server.said()[before:], `"msg":"reloaded"`) }) {
		t.Error("the server does not say that it reloaded")
	}
	in.server.end(t, syscall.SIGTERM)
	if out, err := attempt("signalbox", "reload", "--config", in.path("signalbox.yaml")); err == nil || !strings.Contains(out, "no server runs") {
		t.Errorf("without a server: %v, %s", err, out)
	}
}
