package component

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLoadSecrets(t *testing.T) {
	const good = "0123456789abcdef"
	for _, tc := range []struct {
		name, component, text string
		mode                  os.FileMode
		full, wrong           string // one of them
	}{
		{"below our domain", "bot", good, 0o600, "bot.x.example", ""},
		{"a domain of its own", "gate.example.org", good + "\r\n", 0o600, "gate.example.org", ""},
		{"short", "bot", "secret\n", 0o600, "", "at least 16 are needed"},
		{"long", "bot", strings.Repeat("a", 2000), 0o600, "", "at most 1024"},
		{"two lines", "bot", good + "\n" + good, 0o600, "", "more than one line"},
		{"open to others", "bot", good, 0o644, "", "chmod 600"},
		{"our own domain", "x.example", good, 0o600, "", "domain of this server itself"},
		{"capitals", "Bot", good, 0o600, "", "no name in lower case"},
		{"an account", "a@bot", good, 0o600, "", "no name in lower case"},
		{"empty", "", good, 0o600, "", "no name in lower case"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(path, []byte(tc.text), tc.mode); err != nil {
				t.Fatal(err)
			}
			got, err := LoadSecrets(map[string]string{tc.component: path}, "x.example")
			if tc.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wrong) {
					t.Errorf("LoadSecrets = %v, want an error with %q", err, tc.wrong)
				}
				return
			}
			if err != nil || string(got[tc.full]) != good {
				t.Errorf("LoadSecrets = %q, %v, want the secret of %s", got, err, tc.full)
			}
		})
	}
}

func TestLoadSecretsNamesAllMistakes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := LoadSecrets(map[string]string{"bot": path, "bot.x.example": path, "gone": path + ".gone"}, "x.example")
	for _, want := range []string{"bot.x.example is there under two names", "gone: stat"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("LoadSecrets = %v, want %q in it", err, want)
		}
	}
}

// TestHandshake holds the proof against the sum that other software computes of the same.
func TestHandshake(t *testing.T) {
	if got, want := Handshake("3BF96D32", []byte("password")), "7b91a4c7fb1d39e50c768ce28ea97d026ec6ca40"; got != want {
		t.Errorf("Handshake = %s, want %s", got, want)
	}
}
