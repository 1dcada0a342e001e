package agent

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestConversations plays the files of testdata/conversations. Each begins after the initial presence of a first session. Lines are
//
//	# comment         S: sent by the server (nothing: white space)
//	wait DURATION     C: what the agent must send next
//	drop              the server closes the connection without a word
//	gone              the agent must close it
//	connect           the agent must come back and log in
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/conversations/*.txt")
	must(t, err)
	if len(files) == 0 {
		t.Fatal("no conversations")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			must(t, err)
			synctest.Test(t, func(t *testing.T) { converse(t, string(text)) })
		})
	}
}

func converse(t *testing.T, text string) {
	r := startAgent(t, testConfig(t), func(a *Agent) { a.random = func(int64) int64 { return 0 } })
	p := r.next().secure(nil)
	p.start()
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		word, rest, _ := strings.Cut(line, " ")
		t.Logf("line %d: %s", i+1, line)
		switch word {
		case "#":
		case "S:":
			p.send(rest + "\n")
		case "C:":
			p.expect(strings.ReplaceAll(rest, "{OS}", runtime.GOOS))
		case "wait":
			d, err := time.ParseDuration(rest)
			must(t, err)
			time.Sleep(d)
		case "drop":
			p.conn.Close()
		case "gone":
			p.gone()
		case "connect":
			p = r.next().secure(nil)
			p.start()
		default:
			t.Fatalf("line %d: unknown word %q", i+1, word)
		}
	}
	r.stop(p)
}
