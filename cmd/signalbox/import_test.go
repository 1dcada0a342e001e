package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/tests/harness"
)

const exports = "../../internal/portable/testdata/"

// command runs the command line in this process.
func command(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	root := newCommand(&out, &errs)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	if err != nil {
		errs.WriteString(err.Error())
	}
	return out.String(), errs.String(), exitCode(err)
}

func (r importReport) counts() [6]int {
	return [6]int{r.Accounts, r.Created, r.Updated, r.Existing, len(r.Failed), len(r.Skipped)}
}

// imported runs an import and reads its report.
func imported(t *testing.T, code int, args ...string) (r importReport) {
	t.Helper()
	out, errs, got := command(t, append([]string{"endpoint", "import", "-o", "json"}, args...)...)
	if got != code {
		t.Fatalf("%v: status %d, want %d: %s %s", args, got, code, out, errs)
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v: %v: %s", args, err, out)
	}
	return r
}

// TestImport takes the export of another server, and its endpoints log in with what they have.
func TestImport(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	to := []string{"--url", s.URL(), "--token", s.Token}
	file := exports + "server-data.xml"

	dry := imported(t, exitOK, file, "--dry-run")
	if diff := cmp.Diff([6]int{5, 0, 0, 0, 0, 4}, dry.counts()); diff != "" {
		t.Errorf("dry run (-want +got):\n%s", diff)
	}
	first := imported(t, exitOK, append(to, file)...)
	if diff := cmp.Diff([6]int{5, 5, 0, 0, 0, 4}, first.counts()); diff != "" || first.Disabled != 1 {
		t.Errorf("import (-want +got):\n%s", diff)
	}
	wantPassed := map[string]int{"rosters": 1, "vCards": 1, "offline messages": 1, "<something/> of urn:elsewhere": 1}
	if diff := cmp.Diff(wantPassed, first.Passed); diff != "" {
		t.Errorf("passed over (-want +got):\n%s", diff)
	}
	for i, want := range []string{
		"sha512@xmpp.signalbox.test invalid SCRAM keys of SCRAM-SHA-512", "nothing@xmpp.signalbox.test it has neither", "d'artagnan@xmpp.signalbox.test its name",
		"short@xmpp.signalbox.test its password cannot be used",
	} {
		if got := first.Skipped[i].ID + " " + first.Skipped[i].Reason; !strings.HasPrefix(got, want) {
			t.Errorf("skipped %q, want %q", got, want)
		}
	}
	again := imported(t, exitOK, append(to, file)...)
	if diff := cmp.Diff([6]int{5, 0, 0, 5, 0, 4}, again.counts()); diff != "" {
		t.Errorf("again (-want +got):\n%s", diff)
	}

	for _, login := range [][3]string{
		{"SCRAM-SHA-1", "sha1", "pass-sha1"}, {"SCRAM-SHA-1-PLUS", "sha1", "pass-sha1"}, {"PLAIN", "sha1", "pass-sha1"},
		{"SCRAM-SHA-256", "sha256", "pass-sha256"}, {"PLAIN", "sha256", "pass-sha256"},
		{"SCRAM-SHA-1", "clear", "pass-clear"}, {"SCRAM-SHA-256", "clear", "pass-clear"}, {"SCRAM-SHA-256", "coded", "pass-coded"},
	} {
		c := s.Connect(t, login[0]+" "+login[1])
		c.SASL(login[0], login[1], login[2])
		c.Close()
	}

	updated := imported(t, exitOK, append(to, file, "--on-existing", "update")...)
	if diff := cmp.Diff([6]int{5, 0, 5, 0, 0, 4}, updated.counts()); diff != "" {
		t.Errorf("update (-want +got):\n%s", diff)
	}
	refused := imported(t, exitFailed, append(to, file, "--on-existing", "fail")...)
	if diff := cmp.Diff([6]int{5, 0, 0, 0, 5, 4}, refused.counts()); diff != "" || !strings.Contains(refused.Failed[0].Reason, "endpoint_exists") {
		t.Errorf("fail (-want +got):\n%s", diff)
	}
	split := imported(t, exitOK, append(to, exports+"split/server-data.xml")...)
	if diff := cmp.Diff([6]int{2, 2, 0, 0, 0, 0}, split.counts()); diff != "" {
		t.Errorf("several files (-want +got):\n%s", diff)
	}
	if out, _, _ := command(t, append([]string{"endpoint", "import", file}, to...)...); !strings.Contains(out, "\nexist already                                  5\n") || !strings.Contains(out, "\nskipped: nothing@") {
		t.Errorf("for people:\n%s", out)
	}
}

func TestImportLines(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	file := filepath.Join(t.TempDir(), "endpoints.ndjson")
	text := `{"id":"a","secret":"s3cret","labels":{"site":"paris"}}` + "\n\n" + `{"id":"b"}` + "\n" + `{"id":"B"}` + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r := imported(t, exitFailed, file, "--url", s.URL(), "--token", s.Token)
	if diff := cmp.Diff([6]int{3, 2, 0, 0, 1, 0}, r.counts()); diff != "" || r.Failed[0].ID != "B" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	c := s.Connect(t, "b")
	c.Login("b", r.Made["b"], "agent")
}

func TestImportBadFiles(t *testing.T) {
	t.Parallel()
	const two = "<server-data xmlns='urn:xmpp:pie:0'><host jid='a.test'><user name='u'/></host><host jid='b.test'><user name='u' password='s3cret'/></host></server-data>"
	for _, tt := range []struct {
		name, file, text string
		args             []string
		code             int
		says             string
	}{
		{"not there", "", "", nil, exitFailed, "no such file"},
		{"no export", "a.xml", "<a/>", nil, exitFailed, "the root is not"},
		{"several hosts", "a.xml", two, nil, exitFailed, "a.test, b.test: choose one with --host"},
		{"another host", "a.xml", two, []string{"--host", "c.test"}, exitFailed, "no accounts of c.test"},
		{"one of the hosts", "a.xml", two, []string{"--host", "B.test"}, exitOK, ""},
		{"no JSON", "a.ndjson", "{\n", nil, exitFailed, "line 1"},
		{"unknown field", "a.ndjson", `{"id":"a","colour":1}`, nil, exitFailed, `line 1: json: unknown field "colour"`},
		{"two objects in a line", "a.jsonl", "\n" + `{"id":"a"}{"id":"b"}`, nil, exitFailed, "line 2: more than one"},
		{"wrong choice", "a.xml", two, []string{"--on-existing", "merge"}, exitUsage, "skip, update or fail"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "none.xml")
			if tt.file != "" {
				file = filepath.Join(t.TempDir(), tt.file)
				if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			out, errs, code := command(t, append([]string{"endpoint", "import", file, "--dry-run"}, tt.args...)...)
			if code != tt.code || !strings.Contains(errs, tt.says) {
				t.Errorf("status %d, says %q %q; want %d, %q", code, out, errs, tt.code, tt.says)
			}
		})
	}
}
