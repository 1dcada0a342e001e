package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite" // what a newer program did to the database

	"signalbox/certs"
	"signalbox/internal/doctor"
)

// examined runs doctor on a configuration and returns what it said.
func examined(t *testing.T, dir string, args ...string) (checks []doctor.Check, status int) {
	t.Helper()
	cmd := exec.Command(program("signalbox"), append([]string{"doctor", "--config", filepath.Join(dir, "signalbox.yaml"), "-o", "json"}, args...)...)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &checks); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return checks, status
}

// wantWrong asserts that exactly one check is wrong for each of the texts, of which it says one, and that each says what to do.
func wantWrong(t *testing.T, checks []doctor.Check, texts ...string) {
	t.Helper()
	var wrong []string
	for _, c := range checks {
		if !c.OK {
			wrong = append(wrong, string(c.Step)+" "+c.Check+": "+c.Detail)
			if c.Action == "" {
				t.Errorf("%s: no word of what to do", c.Check)
			}
		}
	}
	if len(wrong) != len(texts) {
		t.Fatalf("wrong are %d checks, want %d:\n%s", len(wrong), len(texts), strings.Join(wrong, "\n"))
	}
	for i, want := range texts {
		if !strings.Contains(wrong[i], want) {
			t.Errorf("wrong is %q, want %q in it", wrong[i], want)
		}
	}
}

// lab is an installation that was never started.
func lab(t *testing.T, o certs.CAOptions) string {
	t.Helper()
	dir := t.TempDir()
	for _, sub := range []string{"certs", "data"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(dir, "signalbox.yaml"), strings.Replace(labConfig, "xmpp: []", `xmpp: ["127.0.0.1:0"]`, 1))
	writeBundle(t, dir, o)
	return dir
}

func writeBundle(t *testing.T, dir string, o certs.CAOptions) {
	t.Helper()
	_, bundle, err := certs.MakeCA(o)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "certs", "lab.example.pem"), string(bundle))
}

func TestDoctorNamesBadBundles(t *testing.T) {
	names := []string{"lab.example"}
	for _, tc := range []struct {
		name string
		made certs.CAOptions
		want string // that is wrong; empty: a warning alone
		warn string
	}{
		{"expired", certs.CAOptions{Names: names, Now: time.Now().AddDate(-2, 0, 0)}, "(expired)", ""},
		{"not yet valid", certs.CAOptions{Names: names, Now: time.Now().AddDate(0, 0, 2)}, "(not_yet_valid)", ""},
		{"name not covered", certs.CAOptions{Names: []string{"other.example"}}, "covers other.example but not the domain lab.example (name_not_covered)", ""},
		{"expires soon", certs.CAOptions{Names: names, LeafValid: 29*24*time.Hour + time.Hour}, "", "in 29 days"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			checks, status := examined(t, lab(t, tc.made), "tls")
			if tc.want != "" {
				wantWrong(t, checks, tc.want)
			} else if wantWrong(t, checks); !checks[1].Warning || !strings.Contains(checks[1].Detail, tc.warn) {
				t.Errorf("%+v, want a warning %q", checks[1], tc.warn)
			}
			if want := map[bool]int{true: exitFailed, false: exitOK}[tc.want != ""]; status != want {
				t.Errorf("status %d, want %d", status, want)
			}
		})
	}
}

// TestDoctorBesideAnExpiredServer: its ports are closed, and that is said with the reason.
func TestDoctorBesideAnExpiredServer(t *testing.T) {
	dir := lab(t, certs.CAOptions{Names: []string{"lab.example"}, Now: time.Now().AddDate(-2, 0, 0)})
	serveIn(t, dir)
	checks, status := examined(t, dir, "tls", "xmpp")
	wantWrong(t, checks, "(expired)",
		"a server keeps its ports closed while the certificate \"CN=lab.example\" expired on ", "a server keeps its ports closed while ",
		"xmpp listen.tls 127.0.0.1:", "xmpp listen.xmpp 127.0.0.1:")
	if status != exitFailed {
		t.Errorf("status %d", status)
	}
}

// serveIn starts a server on the configuration of a folder and waits until it says where it listens.
func serveIn(t *testing.T, dir string) *process {
	t.Helper()
	in := &installation{dir: dir}
	in.serve(t)
	return in.server
}

// TestDoctorSeesWhatIsShown: the file is a new one that covers another name, which the server refused, so that it still shows the old one.
func TestDoctorSeesWhatIsShown(t *testing.T) {
	dir := lab(t, certs.CAOptions{Names: []string{"lab.example"}})
	serveIn(t, dir)
	writeBundle(t, dir, certs.CAOptions{Names: []string{"other.example"}})
	checks, _ := examined(t, dir, "tls")
	const shown = `shows the certificate "CN=lab.example" (SHA-256 `
	wantWrong(t, checks, "(name_not_covered)", shown, shown, shown, shown)
}

// TestDoctorMeetsAnotherProgram: a web server has the ports.
func TestDoctorMeetsAnotherProgram(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	second := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(second.Close)
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	dir := lab(t, certs.CAOptions{Names: []string{"lab.example"}})
	address := func(s *httptest.Server) string { return s.Listener.Addr().String() }

	checks, _ := examined(t, dir, "tls", "xmpp", "--set", "listen.tls="+address(plain), "--set", "listen.xmpp="+address(second))
	const noTLS, noXMPP = "answers something that is no TLS: another program has the port", "answers something that is no XMPP: another program has the port"
	wantWrong(t, checks, noTLS, noTLS, noXMPP, noXMPP, noTLS, "before TLS: "+noXMPP)

	checks, _ = examined(t, dir, "tls", "--set", "listen.tls="+address(secure))
	wantWrong(t, checks, "refuses the TLS handshake for lab.example: tls: no application protocol", "shows the certificate \"O=Acme Co\" (SHA-256 ")
}

// TestDoctorNamesAClosedPort: one that the server should have, where another one is open.
func TestDoctorNamesAClosedPort(t *testing.T) {
	dir := lab(t, certs.CAOptions{Names: []string{"lab.example"}})
	const closed = "127.0.0.1:1"
	in := &installation{dir: dir}
	in.serve(t)
	// As whoever may not read the data directory sees it.
	if err := os.Rename(in.path("data/signalbox.ready"), in.path("data/hidden")); err != nil {
		t.Fatal(err)
	}
	checks, status := examined(t, dir, "xmpp", "--set", "listen.tls="+in.tls, "--set", "listen.xmpp="+closed)
	wantWrong(t, checks, "listen.xmpp "+closed+": nothing listens there")
	if status != exitFailed {
		t.Errorf("status %d", status)
	}
	in.server.end(t, syscall.SIGINT)
	checks, status = examined(t, dir, "xmpp", "--set", "listen.tls="+in.tls, "--set", "listen.xmpp="+closed)
	if wantWrong(t, checks); status != exitOK || !strings.Contains(checks[len(checks)-1].Detail, "the server does not run: nothing listens on listen.tls "+in.tls) {
		t.Errorf("status %d, %+v, want that no server runs", status, checks[len(checks)-1])
	}
}

// TestDoctorAsksTURN: a server answers on every way that clients are told of, and says of itself that its TURN process is there.
func TestDoctorAsksTURN(t *testing.T) {
	dir := lab(t, certs.CAOptions{Names: []string{"lab.example"}})
	config := strings.Replace(labConfig, "turn: []", `turn: ["127.0.0.1:0"]`, 1)
	writeFile(t, filepath.Join(dir, "signalbox.yaml"), config)
	serveIn(t, dir)
	checks, status := examined(t, dir, "turn")
	wantWrong(t, checks)
	var answered []string
	for _, c := range checks {
		if c.Detail == "answers, and sees us where we are" {
			answered = append(answered, c.Check)
		}
	}
	if got := strings.Join(answered, "; "); status != exitOK || len(answered) != 4 || !strings.Contains(got, "listen.turn UDP 127.0.0.1:") || !strings.Contains(got, "ALPN stun.turn") {
		t.Errorf("status %d, answers at %s, want UDP, TCP, and TLS with ALPN and without", status, got)
	}
}

func TestDoctorLooksAtTheDatabase(t *testing.T) {
	dir := lab(t, certs.CAOptions{Names: []string{"lab.example"}})
	must(t, nil, "signalbox", "token", "list", "--config", filepath.Join(dir, "signalbox.yaml")) // makes it
	path := filepath.Join(dir, "data", "signalbox.db")
	for _, tc := range []struct{ name, statement, want string }{
		{"as it should be", "SELECT 1", ""},
		{"of a newer program", "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999999, 1)", "has schema version 999999, and this program knows up to "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.ExecContext(t.Context(), tc.statement); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			checks, _ := examined(t, dir, "store")
			if tc.want == "" {
				wantWrong(t, checks)
			} else {
				wantWrong(t, checks, tc.want)
			}
		})
	}
	for _, name := range []string{"signalbox.db", "signalbox.db-wal", "signalbox.db-shm"} {
		if err := os.Remove(filepath.Join(dir, "data", name)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	writeFile(t, path, strings.Repeat("no database ", 1000))
	checks, _ := examined(t, dir, "store")
	wantWrong(t, checks, "the database file is damaged")
}
