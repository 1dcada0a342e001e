package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"signalbox/internal/client"
)

func entries(from, to int64) client.Page[client.AuditEntry] {
	var p client.Page[client.AuditEntry]
	for seq := to; seq >= from; seq-- {
		p.Items = append(p.Items, client.AuditEntry{
			Seq: seq, At: time.Date(2026, 1, 2, 3, 4, int(seq), 0, time.UTC), Actor: "technician:ann", Action: "session.ended", Subject: "ses_1", Detail: json.RawMessage(`{"reason":"<x>"}`),
		})
	}
	return p
}

// TestAuditTail: the newest entries in the order in which they were made, then those that come, each once.
func TestAuditTail(t *testing.T) {
	f := &fakeAPI{answers: map[string]any{"GET /v1/audit?action=session.&actor=a&limit=2&subject=s": entries(4, 5)}}
	f.serve(t)
	out, said, code := command(t, "audit", "tail", "-n", "2", "--action", "session.", "--actor", "a", "--subject", "s")
	want := "2026-01-02T03:04:04Z  technician:ann        session.ended       ses_1  {\"reason\":\"<x>\"}\n2026-01-02T03:04:05Z  technician:ann        session.ended       ses_1  {\"reason\":\"<x>\"}\n"
	if code != exitOK || out != want {
		t.Errorf("status %d, said %s\n%swant\n%s", code, said, out, want)
	}
	second := entries(6, 7)
	second.Next = "c1"
	f.answer("GET /v1/audit?limit=20", entries(2, 3))
	f.answer("GET /v1/audit?limit=500", second)
	f.answer("GET /v1/audit?cursor=c1&limit=500", entries(1, 5))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var shown shownLines
	ended := make(chan error, 1)
	go func() {
		root := newCommand(&shown, &shown)
		root.SetArgs([]string{"audit", "tail", "--follow", "-o", "json"})
		ended <- root.ExecuteContext(ctx)
	}()
	if !eventually(func() bool { return len(shown.seqs(t)) >= 6 }) {
		t.Errorf("shown are %v", shown.seqs(t))
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for i, seq := range shown.seqs(t) {
		if seq != int64(i+2) || seq > 7 {
			t.Errorf("shown are %v", shown.seqs(t))
			break
		}
	}
}

// shownLines collects what a command says.
type shownLines struct{ process }

func (l *shownLines) seqs(t *testing.T) (all []int64) {
	for line := range strings.Lines(l.said()) {
		var e client.AuditEntry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Errorf("line %q: %v", line, err)
		}
		all = append(all, e.Seq)
	}
	return all
}

// TestAuditOfAServer: what a server and commands beside it do stands in the trail, which verifies while it runs, when it does not, and as a file; and what is changed is found.
func TestAuditOfAServer(t *testing.T) {
	in := install(t)
	config := []string{"--config", in.path("signalbox.yaml")}
	signalbox := func(args ...string) (string, string, int) { return command(t, append(args, config...)...) }
	must(t, nil, "signalbox", append([]string{"token", "create", "--name", "second", "--scope", "read"}, config...)...)
	var r auditReport
	report := func(wantCode int, args ...string) {
		t.Helper()
		r = auditReport{}
		out, said, code := signalbox(append([]string{"audit", "verify", "-o", "json"}, args...)...)
		if err := json.Unmarshal([]byte(out), &r); err != nil || code != wantCode || r.OK != (code == exitOK) {
			t.Fatalf("verify %v: status %d, %v: %s%s", args, code, err, out, said)
		}
	}
	report(exitOK)
	if r.First != 1 || r.Last != 2 || r.Signed != 1 || r.Unsigned != 1 {
		t.Errorf("beside the server: %+v", r)
	}
	tail := must(t, in.env, "signalbox", "audit", "tail")
	if !strings.Contains(tail, "local:"+userName()) || strings.Count(tail, "token.created") != 2 {
		t.Errorf("tail:\n%s", tail)
	}
	if err := in.server.end(t, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	report(exitOK)
	if r.Heads != 2 || r.Unsigned != 0 || r.SignedHash == "" {
		t.Errorf("after the server: %+v", r)
	}
	must(t, nil, "signalbox", append([]string{"token", "revoke", "second"}, config...)...)
	exported, said, code := signalbox("audit", "export")
	if code != exitOK {
		t.Fatal(said)
	}
	file := filepath.Join(t.TempDir(), "audit.ndjson")
	writeFile(t, file, exported)
	report(exitOK, "--file", file)
	if r.Last != 3 || r.Heads != 3 || r.Unsigned != 0 {
		t.Errorf("the file: %+v", r)
	}
	writeFile(t, file, strings.Replace(exported, `"name":"second"`, `"name":"sec0nd"`, 1))
	report(exitFailed, "--file", file)
	if r.From != 2 || r.To != 2 {
		t.Errorf("the changed file: %+v", r)
	}
	if out, said, code := signalbox("audit", "verify", "--file", file); code != exitFailed || !strings.Contains(said, "entry 2 does not have the hash of what it says") {
		t.Errorf("the changed file: status %d, %s%s", code, out, said)
	}
	key := strings.SplitN(strings.SplitN(exported, `"key":"`, 2)[1], `"`, 2)[0]
	writeFile(t, file, exported)
	if out, said, code := command(t, "audit", "verify", "--file", file, "--key", key); code != exitOK || !strings.Contains(out, "entries 1 to 3 follow each other") {
		t.Errorf("with the key alone: status %d, %s%s", code, out, said)
	}
}

// TestAuditVerifyFails with the status that says whose fault it is.
func TestAuditVerifyFails(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "signalbox.yaml")
	writeFile(t, config, strings.Replace(labConfig, "data_dir: data", "data_dir: "+dir, 1))
	file := filepath.Join(dir, "audit.ndjson")
	writeFile(t, file, "hello\n")
	other := "sbk1:" + strings.Repeat("A", 42) + "E"
	for _, tt := range []struct {
		args string
		code int
		said string
	}{
		{"audit verify --config " + config, exitFailed, "--key names the public key"},
		{"audit export --config " + config, exitFailed, "--key names the public key"},
		{"audit verify --key sbk1:x", exitUsage, "--key"},
		{"audit verify --config " + config + "x", exitConfig, ""},
		{"audit verify --file " + file + " --key " + other, exitFailed, "not an exported audit trail: line 1"},
		{"audit verify --file " + file + "x --key " + other, exitFailed, "no such file"},
		{"audit tail extra", exitUsage, "unknown command"},
	} {
		if out, said, code := command(t, strings.Fields(tt.args)...); code != tt.code || !strings.Contains(said, tt.said) {
			t.Errorf("%s: status %d, said %s%s", tt.args, code, out, said)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "identity.key")); !os.IsNotExist(err) {
		t.Error("a check makes a key")
	}
}
