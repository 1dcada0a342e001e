//go:build unix

package agent

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"signalbox/xmpp/scan"
)

// program returns a handler that runs this test binary as the named program.
func program(t *testing.T, name string, args ...string) Handler {
	t.Helper()
	t.Setenv(envProgram, name)
	return Handler{Command: append([]string{os.Args[0]}, args...), Timeout: time.Minute}
}

func TestCommand(t *testing.T) {
	payload := []byte(`{"n":[1,2]}`)
	for _, tt := range []struct {
		program string
		args    []string
		payload []byte
		ok      bool
		want    string
	}{
		{"echo", nil, payload, true, `{"n":[1,2]}`},
		{"echo", nil, []byte(" { \"a\" : 1 }\n"), true, `{"a":1}`},
		{"echo", nil, []byte("plain <text>\n"), true, `{"output":"plain <text>\n"}`},
		{"echo", nil, []byte("\x00\x1b\xff"), true, `{"output":"\u0000\u001b\ufffd"}`},
		{"echo", nil, nil, true, ""},
		{"silent", nil, payload, true, ""},
		{"env", []string{"a b", "c"}, payload, true, `{"output":"id-1 demo.run a b,c"}`},
		{"broken", nil, nil, true, "{\"a\":\"\uFFFD" + `\ufffe"}`},
		{"fail", nil, nil, false, `{"reason":"exit_status","exit_code":3,"stderr":"no disk"}`},
		{"leave", nil, nil, true, `{"output":"left"}`},
	} {
		t.Run(tt.program, func(t *testing.T) {
			h := command(program(t, tt.program, tt.args...))
			res, finished := h.run(t.Context(), Push{ID: "id-1", Type: "demo.run", Payload: tt.payload})
			if !finished || res.OK != tt.ok || string(res.JSON) != tt.want {
				t.Errorf("run = %v %s, %v, want %v %s, true", res.OK, res.JSON, finished, tt.ok, tt.want)
			}
		})
	}
}

func TestCommandOutputIsBounded(t *testing.T) {
	res, _ := command(program(t, "much")).run(t.Context(), Push{})
	var out output
	must(t, json.Unmarshal(res.JSON, &out))
	if !res.OK || !out.Truncated || len(out.Output) < 8<<10 || !travels(res.JSON) {
		t.Errorf("1 MiB of output: ok %v, truncated %v, %d bytes kept, %d on the wire", res.OK, out.Truncated, len(out.Output), len(scan.AppendText(nil, res.JSON)))
	}
}

func TestCommandCannotStart(t *testing.T) {
	res, finished := command{Command: []string{filepath.Join(t.TempDir(), "none")}, Timeout: time.Minute}.run(t.Context(), Push{})
	var f failure
	must(t, json.Unmarshal(res.JSON, &f))
	if !finished || res.OK || f.Reason != ReasonCannotStart || !strings.Contains(f.Detail, "none") {
		t.Errorf("run = %v %s, %v", res.OK, res.JSON, finished)
	}
}

func TestCommandTimeoutKillsAllThatWasStarted(t *testing.T) {
	lock := filepath.Join(t.TempDir(), "lock")
	h := program(t, "hang", lock)
	h.Timeout = 3 * time.Second
	res, finished := command(h).run(t.Context(), Push{})
	var f failure
	must(t, json.Unmarshal(res.JSON, &f))
	if !finished || res.OK || f.Reason != ReasonTimeout {
		t.Errorf("run = %v %s, %v, want a timeout", res.OK, res.JSON, finished)
	}
	fd, err := os.OpenFile(lock, os.O_CREATE|os.O_RDWR, 0o600)
	must(t, err)
	defer fd.Close()
	must(t, unix.Flock(int(fd.Fd()), unix.LOCK_EX)) // waits for the end of the program's child
}

func TestCommandInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if res, finished := command(program(t, "hang", filepath.Join(t.TempDir(), "lock"))).run(ctx, Push{}); finished {
		t.Errorf("run = %s, true, want unfinished", res.JSON)
	}
}

func TestFindHandler(t *testing.T) {
	cfg := map[string]Handler{}
	for _, pattern := range []string{"policy.refresh", "policy.*", "policy.disk.*", "inventory"} {
		cfg[pattern] = Handler{Command: []string{pattern}, Repeatable: pattern == "policy.*"}
	}
	hs := newHandlers(cfg, builtins("v", testTime))
	for _, tt := range []struct {
		name              string
		found, repeatable bool
	}{
		{"policy.refresh", true, false},
		{"policy.other", true, true},
		{"policy.other.deep", true, true},
		{"policy.disk.full", true, false},
		{"policy", false, false},
		{"policy.", false, false},
		{"policy..x", false, false},
		{"policyx.y", false, false},
		{"inventory", true, false},
		{"inventory.x", false, false},
		{"agent.ping", true, true},
		{"", false, false},
	} {
		h, ok := hs.find(tt.name)
		if ok != tt.found || h.repeatable != tt.repeatable {
			t.Errorf("find(%q) = repeatable %v, %v, want %v, %v", tt.name, h.repeatable, ok, tt.repeatable, tt.found)
		}
	}
}

func TestBuiltins(t *testing.T) {
	hs := newHandlers(nil, builtins("v1.2.3", time.Now()))
	ping, _ := hs.find(TypePing)
	for _, tt := range []struct {
		push Push
		ok   bool
		want string
	}{
		{Push{Payload: []byte(`{"a":1}`)}, true, `{"pong":{"a":1}}`},
		{Push{}, true, `{"pong":null}`},
		{Push{Payload: []byte{1, 2}, Binary: true}, true, `{"pong":"AQI="}`},
		{Push{Payload: []byte(`"` + strings.Repeat("&", 20000) + `"`)}, false, `{"reason":"payload_too_large"}`},
	} {
		res, _ := ping.run(t.Context(), tt.push)
		if res.OK != tt.ok || string(res.JSON) != tt.want {
			t.Errorf("ping(%.40q) = %v %.60s, want %v %s", tt.push.Payload, res.OK, res.JSON, tt.ok, tt.want)
		}
	}
	about, _ := hs.find(TypeInfo)
	res, _ := about.run(t.Context(), Push{})
	var i info
	must(t, json.Unmarshal(res.JSON, &i))
	if i.Version != "v1.2.3" || i.OS == "" || i.Arch == "" || i.Boot == nil || i.Boot.After(time.Now()) {
		t.Errorf("info = %s", res.JSON)
	}
}

// Whatever a program prints, the result is JSON, within its bound, and legal as the text of an element.
func FuzzAnswered(f *testing.F) {
	f.Add([]byte(`{"a":"b"}`), false)
	f.Add([]byte("\xef\xbf\xbf \x00 <&>"), true)
	f.Add([]byte("\"\xef\xbf\xbf\""), false)
	f.Fuzz(func(t *testing.T, stdout []byte, truncated bool) {
		res := answered(stdout, truncated)
		if !res.OK || !travels(res.JSON) || !utf8.Valid(res.JSON) || res.JSON != nil && !json.Valid(res.JSON) {
			t.Fatalf("answered(%q) = %v %s", stdout, res.OK, res.JSON)
		}
		for _, r := range string(res.JSON) {
			if r < ' ' || r == 0xFFFE || r == 0xFFFF {
				t.Fatalf("answered(%q) holds %U", stdout, r)
			}
		}
	})
}

func TestValidPattern(t *testing.T) {
	got := map[string]bool{}
	for _, s := range []string{"a", "a.b", "a.*", "a.b-c_D.9", "", "*", ".*", "a*", "a.", ".a", "a..b", "a b", "é", strings.Repeat("a", 129)} {
		got[s] = validPattern(s)
	}
	want := map[string]bool{"a": true, "a.b": true, "a.*": true, "a.b-c_D.9": true, "": false, "*": false, ".*": false, "a*": false,
		"a.": false, ".a": false, "a..b": false, "a b": false, "é": false, strings.Repeat("a", 129): false}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("validPattern (-want +got):\n%s", diff)
	}
}
