package house

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// layers is the table of docs/ARCHITECTURE.md: a package may import those of its own part and those of a smaller number. Edges of layer 4 never import each
// other: parts that share a number but differ in their first word.
var layers = []struct {
	prefix string // import path below the module, the longest that fits counts
	layer  int
	part   string // packages of one part may import each other
}{
	{"internal/telemetry", 0, "telemetry"},
	{"internal/link", 0, "link"},
	{"internal/id", 0, "id"},
	{"internal/notify", 1, "notify"},
	{"internal/datadir", 0, "datadir"},
	{"internal/private", 0, "private"},
	{"certs", 1, "certs"},
	{"xmpp/scan", 1, "scan"},
	{"internal/endpoint", 2, "endpoint"},
	{"internal/access", 2, "access"},
	{"internal/access/enrolment", 3, "enrolment"}, // knows endpoints, which access does not
	{"internal/push", 3, "push"},
	{"internal/campaign", 3, "push"},
	{"internal/events", 3, "events"},
	{"internal/diagnosis", 3, "diagnosis"},
	{"internal/signalling", 2, "signalling"},
	{"internal/identity", 1, "identity"},
	{"internal/channel", 1, "channel"},
	{"internal/turnsession", 3, "remote"},
	{"internal/remote", 3, "remote"},
	{"internal/audit", 1, "audit"},
	{"relay", 4, "relay"},
	{"internal/console", 4, "console"},
	{"internal/viewer", 4, "viewer"},
	{"internal/peer", 3, "peer"},
	{"internal/account", 3, "account"},
	{"internal/upload", 3, "upload"},
	{"xmpp", 4, "xmpp"},
	{"internal/listen", 4, "listen"},
	{"internal/api", 4, "api"},
	{"internal/tigase", 4, "tigase"},
	{"turn/control", 4, "turn/control"},
	{"internal/store", 4, "store"},
	{"internal/bus", 4, "bus"},
	{"internal/agent", 4, "agent"},
	{"internal/client", 4, "client"},
	{"internal/portable", 4, "portable"},
	{"turn", 5, "turn"}, // another process: nothing but cmd and tests imports it
	{"internal/config", 5, "config"},
	{"internal/doctor", 6, "doctor"},
	{"internal/bench", 5, "bench"},
	{"internal/backup", 5, "backup"},
	{"internal/support", 7, "support"},
	{"internal/app", 7, "app"},
	{"cmd/signalbox", 8, "cmd"},
	{"cmd/signalbox-agent", 8, "cmd-agent"},
	{"deploy", 9, "deploy"},
	{"tests", 9, "tests"},
}

// confined says which packages alone may import a module, so that its types stay where they are used.
var confined = map[string][]string{
	"modernc.org/sqlite":             {"internal/store"},
	"github.com/pressly/goose":       {"internal/store"},
	"github.com/danielgtaylor/huma":  {"internal/api"},
	"github.com/pires/go-proxyproto": {"internal/listen", "turn"},
	"github.com/pion":                {"turn/guard", "internal/peer", "internal/doctor", "tests"},
	"github.com/pion/turn":           {"turn/guard", "internal/doctor", "tests"}, // the doctor is a client
	"github.com/pion/webrtc":         {"internal/peer", "tests"},
	"github.com/pion/ice":            {"internal/peer", "tests"},
	"github.com/coder/websocket":     {"xmpp/websocket", "internal/agent/path", "internal/channel/wsconn", "internal/console", "internal/viewer", "relay", "tests"},
	"github.com/creack/pty":          {"internal/agent/capability/terminal"},
	"github.com/shirou/gopsutil":     {"internal/agent/capability"},
	"github.com/jezek/xgb":           {"internal/agent/consent", "tests/screen"},
	"github.com/godbus/dbus":         {"internal/agent/consent", "tests/logind"},
	"golang.org/x/image":             {"internal/agent/consent"},
	"github.com/kardianos/service":   {"cmd/signalbox-agent"},
	"github.com/fsnotify/fsnotify":   {"certs"},
	"golang.org/x/crypto":            {"internal/access/technician", "cmd"}, // cmd: its certificate authorities, x509roots
	"github.com/jackc/pgx":           {"tests"},                             // the store's bench
	"github.com/coreos/go-systemd":   {"internal/notify"},
	"github.com/spf13/cobra":         {"cmd/signalbox", "cmd/signalbox-agent"},
	"github.com/knadh/koanf":         {"internal/config", "internal/agent"},
	"mellium.im/xmpp":                {"xmpp", "xmpp/feature", "internal/agent", "internal/config", "internal/viewer", "tests"},
	"encoding/xml":                   {"internal/agent", "internal/portable", "tests"}, // accepts what conforming parsers refuse: never on the wire path
	"math/rand":                      {},
}

const module = "signalbox/"

type goPackage struct {
	ImportPath, Dir, Doc string
	Imports              []string
	GoFiles              []string
}

// list asks the go command for all packages of the module.
func list(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,Doc,Imports,GoFiles", "signalbox/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func place(path string) (layer int, part string, ok bool) {
	best := -1
	for i, l := range layers {
		if (path == l.prefix || strings.HasPrefix(path, l.prefix+"/")) && (best < 0 || len(l.prefix) > len(layers[best].prefix)) {
			best = i
		}
	}
	if best < 0 {
		return 0, "", false
	}
	return layers[best].layer, layers[best].part, true
}

// violation says what is wrong with one import, or nothing.
func violation(from, to string) string {
	fromLayer, fromPart, ok := place(from)
	if !ok {
		return fmt.Sprintf("%s has no place in the table of layers: add it to docs/ARCHITECTURE.md and to this test", from)
	}
	toLayer, toPart, ok := place(to)
	switch {
	case !ok:
		return fmt.Sprintf("%s has no place in the table of layers: add it to docs/ARCHITECTURE.md and to this test", to)
	case fromPart == toPart:
		return ""
	case toPart == "turn" && fromPart != "cmd" && fromPart != "tests":
		return fmt.Sprintf("%s imports %s: the TURN server is another process, and cmd/signalbox alone starts it", from, to)
	case toLayer >= fromLayer:
		return fmt.Sprintf("%s (layer %d) imports %s (layer %d): imports point down only", from, fromLayer, to, toLayer)
	}
	return ""
}

func TestImportsPointDown(t *testing.T) {
	for _, p := range list(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		for _, imp := range p.Imports {
			if to, ours := strings.CutPrefix(imp, module); ours {
				if v := violation(from, to); v != "" {
					t.Error(v)
				}
			}
		}
	}
}

// TestLayerRuleBites plants violations, so that the rule above cannot rot into one that never fails.
func TestLayerRuleBites(t *testing.T) {
	for _, tc := range []struct{ from, to string }{
		{"internal/push", "internal/store"},
		{"internal/api", "internal/store"},
		{"xmpp", "internal/listen"},
		{"xmpp/scan", "xmpp"},
		{"internal/endpoint", "internal/access"},
		{"internal/account", "internal/push"},
		{"internal/app", "cmd/signalbox"},
		{"internal/doctor", "internal/app"},
		{"internal/api", "internal/doctor"},
		{"internal/app", "turn"},
		{"turn/control", "turn/session"},
		{"internal/nowhere", "certs"},
	} {
		if violation(tc.from, tc.to) == "" {
			t.Errorf("%s may import %s, but must not", tc.from, tc.to)
		}
	}
	if v := violation("xmpp/feature", "xmpp/scan"); v != "" {
		t.Error(v)
	}
}

func TestModulesAreConfined(t *testing.T) {
	for _, p := range list(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		for _, imp := range p.Imports {
			for mod, allowed := range confined {
				if (imp == mod || strings.HasPrefix(imp, mod+"/")) && !isAllowed(from, imp, allowed) {
					t.Errorf("%s imports %s, which is for %v alone", from, imp, allowed)
				}
			}
		}
	}
}

func isAllowed(from, imp string, allowed []string) bool {
	if imp == "math/rand/v2" { // jitter; secrets come from crypto/rand
		return true
	}
	for _, a := range allowed {
		if from == a || strings.HasPrefix(from, a+"/") {
			return true
		}
	}
	return false
}

func TestPackagesAreDocumented(t *testing.T) {
	for _, p := range list(t) {
		if len(p.GoFiles) == 0 { // tests alone
			continue
		}
		name := p.ImportPath[strings.LastIndexByte(p.ImportPath, '/')+1:]
		want := "Package " + name + " "
		if strings.HasPrefix(p.ImportPath, module+"cmd/") {
			want = "Command " + name + " "
		}
		if !strings.HasPrefix(p.Doc, want) {
			t.Errorf("%s: its doc begins with %q, want %q and what it is for", p.ImportPath, p.Doc, want)
		}
	}
}
