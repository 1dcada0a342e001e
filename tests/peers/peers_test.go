package peers

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"signalbox/tests/beside"
)

// programs builds the server and the load process.
func programs(t *testing.T, dir string) (signalbox, load string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s", "-o", dir+string(filepath.Separator), "signalbox/cmd/signalbox", "signalbox/tests/peers/load")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	return filepath.Join(dir, "signalbox"), filepath.Join(dir, "load")
}

// TestSmoke runs every measurement with a few sessions on our own server, so that the tool does not rot. It holds no figure against a bound.
func TestSmoke(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	dir := t.TempDir()
	signalbox, load := programs(t, dir)
	results, err := Run(t.Context(), Options{Dir: dir, Signalbox: signalbox, Load: load, Servers: Servers()[:1], Scale: Smoke(), Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows() {
		if len(results.Values("Signalbox", r.key)) == 0 {
			t.Errorf("nothing was measured under %s", r.key)
		}
	}
	for i, n := range results.Values("Signalbox", "failed") {
		if n != 0 {
			t.Errorf("measurement %d: %v operations failed", i, n)
		}
	}
}

// TestPeers measures for real when PEERS says so (make bench-peers); it takes a quarter of an hour for each of PEERS_ROUNDS and writes docs/BENCHMARKS.md. With
// PEERS=smoke it only shows that the others work, too; with PEERS=storm or PEERS=others it measures one thing alone.
func TestPeers(t *testing.T) {
	scale, alone := Full(), ""
	switch os.Getenv("PEERS") {
	case "full":
	case Storm, Others:
		alone = os.Getenv("PEERS")
	case "smoke":
		scale = Smoke()
	default:
		t.Skip("measured by make bench-peers alone")
	}
	if n, err := strconv.Atoi(os.Getenv("PEERS_ROUNDS")); err == nil {
		scale.Rounds = n
	}
	servers := chosen(os.Getenv("PEERS_SERVERS"))
	dir := t.TempDir()
	signalbox, load := programs(t, dir)
	results, err := Run(t.Context(), Options{Dir: dir, Signalbox: signalbox, Load: load, Servers: servers, Scale: scale, Alone: alone, Log: t.Logf})
	report := Machine(t.Context(), servers, scale) + Report(results, servers)
	t.Log("\n" + report)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("PEERS") == "full" && len(servers) == len(Servers()) {
		if err := beside.Write("../../docs/BENCHMARKS.md", Target, report); err != nil {
			t.Error(err)
		}
	}
}

// chosen returns the servers with these comma separated names; none named: all.
func chosen(names string) (servers []Server) {
	for _, s := range Servers() {
		if names == "" || slices.Contains(strings.Split(names, ","), s.Name) {
			servers = append(servers, s)
		}
	}
	return servers
}
