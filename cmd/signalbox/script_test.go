package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"signalbox/internal/app"
)

// TestScripts runs the programs as the user types them.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", programs+string(filepath.ListSeparator)+e.Getenv("PATH"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": cmdStatus, "ready": cmdReady, "gone": cmdGone, "capture": cmdCapture},
		// a name twice in one script is a mistake in it
		RequireUniqueNames: true,
	})
}

// cmdStatus is "status N program arguments...": the program must end with status N.
func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if neg || err != nil {
		ts.Fatalf("usage: status N program arguments...")
	}
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("status %d, want %d", got, want)
	}
}

// scriptTimeout bounds what a script waits for.
const scriptTimeout = time.Minute

// cmdReady is "ready DATA_DIR": waits until a server says where it listens and sets $api, $tls, $xmpp and $SIGNALBOX_API_URL.
func cmdReady(ts *testscript.TestScript, _ bool, args []string) {
	var addrs map[string][]string
	path := ts.MkAbs(filepath.Join(args[0], app.ReadyFile))
	if !eventually(func() bool {
		text, err := os.ReadFile(path)
		return err == nil && json.Unmarshal(text, &addrs) == nil
	}) {
		ts.Fatalf("no server in %s", args[0])
	}
	for name, list := range addrs {
		ts.Setenv(name, list[0])
	}
	ts.Setenv("SIGNALBOX_API_URL", "http://"+addrs["api"][0])
}

// cmdGone is "gone FILE": waits until a file is not there.
func cmdGone(ts *testscript.TestScript, _ bool, args []string) {
	if !eventually(func() bool { _, err := os.Stat(ts.MkAbs(args[0])); return errors.Is(err, os.ErrNotExist) }) {
		ts.Fatalf("%s is still there", args[0])
	}
}

// cmdCapture is "capture NAME": sets a variable to what the last program wrote to standard output.
func cmdCapture(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

// eventually asks until something is so, or until scriptTimeout.
func eventually(is func() bool) bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(scriptTimeout); time.Now().Before(end); <-tick.C {
		if is() {
			return true
		}
	}
	return is()
}
