package config

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestEveryPathIsClassified: a key that names a file and is not said to be public counts as secret, and every name in the lists is one of a key.
func TestEveryPathIsClassified(t *testing.T) {
	keys := newTable().keys
	for _, path := range slices.Concat(folders, public) {
		if !slices.Contains(pathKeys, path) {
			t.Errorf("%s is in a list of files, and is no key with a path", path)
		}
	}
	cfg := Default()
	for _, path := range pathKeys {
		v := keys[path].value(reflect.ValueOf(&cfg).Elem())
		switch v.Kind() {
		case reflect.String:
			v.SetString("/x/" + path)
		case reflect.Slice:
			v.Set(reflect.ValueOf([]string{"/x/" + path}))
		case reflect.Map:
			v.Set(reflect.ValueOf(map[string]string{"name": "/x/" + path}))
		}
	}
	got := map[string]bool{}
	for _, f := range cfg.Files() {
		got[f.Key] = f.Secret
		if f.Path != "/x/"+f.Key {
			t.Errorf("%s names %s", f.Key, f.Path)
		}
	}
	if len(got) != len(pathKeys)-len(folders) {
		t.Errorf("%d keys name files, want %d", len(got), len(pathKeys)-len(folders))
	}
	for path, secret := range map[string]bool{"turn.secret_file": true, "api.tls.key_file": true, "xmpp.components": true, "certs.files": true, "api.tls.cert_file": false} {
		if got[path] != secret {
			t.Errorf("%s: secret = %v, want %v", path, got[path], secret)
		}
	}
}

func TestRedactedLeavesOutMisplacedSecrets(t *testing.T) {
	there := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(there, []byte("in the file"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := Default()
	cfg.Domain = "lab.example"
	cfg.TURN.SecretFile = there
	cfg.TURN.RESTSecretFile = "/etc/signalbox/hunter2-hunter2-hunter2"
	cfg.XMPP.StatusURLs = []string{"https://ann:hunter2@status.example/"}
	cfg.Listen.SNIPassthrough = map[string]string{"a.example": "https://ann:hunter2@b.example"}
	text, err := cfg.Redacted()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "hunter2") {
		t.Errorf("a secret is left:\n%s", text)
	}
	for _, want := range []string{"secret_file: " + there, "rest_secret_file: # left out", "domain: lab.example", "https://ann:xxxxx@status.example/"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is missing:\n%s", want, text)
		}
	}
}
