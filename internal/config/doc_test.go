package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestPageIsWhatTheProgramPrints(t *testing.T) {
	want, err := Doc()
	if err != nil {
		t.Fatal(err)
	}
	page := filepath.Join("..", "..", "docs", "CONFIGURATION.md")
	if os.Getenv("UPDATE") != "" {
		write(t, page, string(want))
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("docs/CONFIGURATION.md differs from the tags in the code: run UPDATE=1 go test ./internal/config\n(-want +got):\n%s", diff)
	}
}

func TestEveryKeyIsDocumentedAndHasItsOwnVariable(t *testing.T) {
	seen := map[string]string{}
	for _, s := range sections() {
		if s.path != "" && s.doc == "" {
			t.Errorf("section %s has no doc", s.path)
		}
		for _, k := range s.keys {
			if !strings.HasSuffix(k.doc, ".") || strings.Contains(k.doc, "\n") {
				t.Errorf("%s: its doc is %q, must be one line of sentences", k.path, k.doc)
			}
			if !regexp.MustCompile(`^[a-z0-9_]+(\.[a-z0-9_]+)*$`).MatchString(k.path) {
				t.Errorf("%s is no key in small letters", k.path)
			}
			if other := seen[k.env()]; other != "" {
				t.Errorf("%s and %s have the same variable %s", k.path, other, k.env())
			}
			seen[k.env()] = k.path
		}
	}
	if len(seen) < 40 {
		t.Errorf("%d keys found, there are more", len(seen))
	}
}

// uncommented matches a key that stands as a comment in the default file.
var uncommented = regexp.MustCompile(`(?m)^( *)#([a-z_]+:)`)

func TestDefaultFileSaysTheDefaults(t *testing.T) {
	text, err := DefaultFile()
	if err != nil {
		t.Fatal(err)
	}
	all := uncommented.ReplaceAllString(string(text), "$1$2")
	if strings.Count(all, "\n") == 0 || all == string(text) {
		t.Fatal("no key in the default file")
	}
	for name, file := range map[string]string{"as it is": string(text), "all keys": all} {
		t.Run(name, func(t *testing.T) {
			want := Default()
			want.Domain = "a.example"
			got := source{file: file, set: []string{"domain=a.example"}}.mustLoad(t)
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsPrintedLoadsAgain(t *testing.T) {
	in := source{file: "domain: a.example\nlisten: {tls: ['[::1]:443', ':444'], sni_passthrough: {'*.b.example': '10.0.5.1:443'}}\ndrain: {period: 1m30s}\ncerts: {dir: 'a: b # c'}\nxmpp: {resume_timeout: 0}\n"}
	want := in.mustLoad(t)
	text, err := want.Print()
	if err != nil {
		t.Fatal(err)
	}
	got := source{file: string(text)}.mustLoad(t)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, text)
	}
}

func TestPasswordsAreNotPrinted(t *testing.T) {
	cfg := Default()
	cfg.Store.URL = "postgres://signalbox:s3cret@db/signalbox?sslmode=require&password=s3cret"
	text, err := cfg.Print()
	if err != nil {
		t.Fatal(err)
	}
	tree, err := json.Marshal(cfg.Tree())
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{string(text), string(tree)} {
		if strings.Contains(out, "s3cret") || !strings.Contains(out, "signalbox:xxxxx@db") {
			t.Errorf("printed: %s", out)
		}
	}
}

func TestTreeHasTheFilesShape(t *testing.T) {
	cfg := Default()
	cfg.API.TLS.CertFile = "/c"
	tree := cfg.Tree()
	if got := tree["api"].(map[string]any)["tls"].(map[string]any)["cert_file"]; got != "/c" {
		t.Errorf("api.tls.cert_file = %v, want /c", got)
	}
	if got := tree["drain"].(map[string]any)["period"]; got != "10s" {
		t.Errorf("drain.period = %v, want 10s", got)
	}
}

func TestMask(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "",
		"/a/path:with@signs":           "/a/path:with@signs",
		"sqlite:///a/b.db":             "sqlite:///a/b.db",
		"postgres://db/x":              "postgres://db/x",
		"postgres://user@db/x":         "postgres://user@db/x",
		"postgres://user:pw@db/x":      "postgres://user:xxxxx@db/x",
		"postgres://u:p@ss/w%rd@db/x":  "postgres://u:xxxxx@db/x",
		"postgres://db/x?password=a&b": "postgres://db/x?password=xxxxx&b",
		"x://:pw@db":                   "x://:xxxxx@db",
	} {
		if got := mask(text); got != want {
			t.Errorf("mask(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", 90 * time.Second: "1m30s", time.Minute: "1m", 48 * time.Hour: "48h", 61 * time.Minute: "1h1m",
		time.Hour + time.Second: "1h0m1s", 100 * time.Millisecond: "100ms", 10 * time.Second: "10s", 10 * time.Minute: "10m", 20 * time.Hour: "20h",
	} {
		if got := formatDuration(d); got != want {
			t.Errorf("formatDuration(%d) = %q, want %q", d, got, want)
		}
	}
}

func TestConfigures(t *testing.T) {
	for name, want := range map[string]bool{"SIGNALBOX_DOMAIN": true, "TIGASE_DOMAIN": true, "ITSM_WEB_IP": true, "PATH": false, "DOMAIN": false} {
		if got := Configures(name); got != want {
			t.Errorf("Configures(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestChanged(t *testing.T) {
	a, b := Default(), Default()
	b.Listen.TLS = []string{":444"}
	b.Log.Level = "debug"
	b.Store.Batch = 7
	if diff := cmp.Diff([]string{"listen.tls", "store.batch", "log.level"}, Changed(a, b)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := Changed(a, Default()); got != nil {
		t.Errorf("Changed() = %v for the same configuration", got)
	}
}
