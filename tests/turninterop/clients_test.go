package turninterop

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"signalbox/tests/beside"
)

// transport is what a client reaches the server by.
type transport string

const (
	udp transport = "udp" // port of listen.turn
	tcp transport = "tcp" // the same
	tls transport = "tls" // port of listen.tls, which everything shares
)

var transports = []transport{udp, tcp, tls}

// client is a TURN client that others wrote.
type client struct {
	name, origin string
	version      func() string // empty: it is not here
	try          func(t *testing.T, s *stage, over transport)
}

var clients = []client{
	{"turnutils_uclient", "Debian package coturn", debian("coturn"), tryUclient},
	{"pion", "Go module github.com/pion/turn/v2", module("github.com/pion/turn/v2"), tryPion},
	{"Chromium, `iceTransportPolicy: relay`", "Debian package chromium", debian("chromium"), tryChromium},
}

// debian returns the version of an installed package.
func debian(name string) func() string {
	return func() string {
		out, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", name).Output()
		if err != nil {
			return "" // not installed
		}
		return string(out)
	}
}

// module returns the version of a module, from go.mod: a test's binary does not name its modules.
func module(path string) func() string {
	return func() string {
		text, err := os.ReadFile("../../go.mod")
		if err != nil {
			return ""
		}
		_, rest, _ := strings.Cut(string(text), "\t"+path+" ")
		return strings.Fields(rest)[0]
	}
}

// target is the make target whose table stands in docs/INTEROP.md.
const target = "interop-turn"

// TestClients has every client move bytes over every transport, with the server's certificate verified. INTEROP_WRITE=1 writes what came out into docs/INTEROP.md.
func TestClients(t *testing.T) {
	at, err := beside.Address()
	if err != nil {
		t.Skipf("LEFT OUT: TURN clients that others wrote: %v", err)
	}
	var mu sync.Mutex
	passed := map[string]bool{}
	t.Run("each", func(t *testing.T) {
		for _, c := range clients {
			for _, over := range transports {
				t.Run(c.name+"/"+string(over), func(t *testing.T) {
					t.Parallel()
					if c.version() == "" {
						t.Skipf("LEFT OUT: %s as a TURN client: it is not installed (%s)", c.name, c.origin)
					}
					c.try(t, newStage(t, at), over)
					mu.Lock()
					defer mu.Unlock()
					passed[c.name+"/"+string(over)] = !t.Failed()
				})
			}
		}
	})
	if os.Getenv("INTEROP_WRITE") != "1" {
		return
	}
	if len(passed) != len(clients)*len(transports) {
		t.Fatalf("the table is written with all clients alone; %d of %d cells came out", len(passed), len(clients)*len(transports))
	}
	if err := beside.Write("../../docs/INTEROP.md", target, table(passed)); err != nil {
		t.Error(err)
	}
}

func table(passed map[string]bool) string {
	var b strings.Builder
	b.WriteString("| client | version | from | UDP | TCP | TLS on the shared port |\n|---|---|---|---|---|---|\n")
	for _, c := range clients {
		fmt.Fprintf(&b, "| %s | %s | %s |", c.name, c.version(), c.origin)
		for _, over := range transports {
			b.WriteString(map[bool]string{true: " ok |", false: " no |"}[passed[c.name+"/"+string(over)]])
		}
		b.WriteString("\n")
	}
	return b.String()
}
