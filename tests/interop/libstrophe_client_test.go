package interop

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// libstrophe is the C library, with OpenSSL and expat; the program is compiled here.
var libstrophe = &client{
	name:    "libstrophe",
	origin:  "Debian package libstrophe-dev",
	version: libstropheVersion,
	run:     runLibstrophe,
	lacks: map[string]string{
		featureWebSocket: noWebSocket,
		"PLAIN":          strongestAlone, "SCRAM-SHA-1": strongestAlone, "SCRAM-SHA-1-PLUS": noMechanism, "SCRAM-SHA-256-PLUS": noMechanism,
		featureSASL2: noSASL2, featureBind2: noSASL2, featureFAST: noSASL2,
	},
}

const strongestAlone = "it takes the strongest mechanism that is offered and cannot be told to take another"

func libstropheVersion() string {
	if _, err := exec.LookPath("gcc"); err != nil {
		return ""
	}
	return debian("libstrophe-dev")()
}

func runLibstrophe(t *testing.T, s *stage, j job) []line {
	t.Helper()
	binary := filepath.Join(s.dir, "client_strophe")
	s.once.Do(func() {
		out, err := exec.CommandContext(t.Context(), "gcc", "-Wall", "-Wextra", "-Werror", "-O1", "-o", binary, "testdata/c/client_strophe.c", "-lstrophe").CombinedOutput()
		if err != nil {
			t.Fatalf("compile: %v\n%s", err, out)
		}
	})
	return program(binary)(t, s, j)
}
