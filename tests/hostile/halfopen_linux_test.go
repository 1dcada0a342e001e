package hostile

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"signalbox/internal/client"
)

// island is a network namespace that is joined to ours by one wire, which can be cut: whoever is in it vanishes without a word.
type island struct {
	name        string
	here, there string // names of the wire's ends
	addr        string // our address on the wire
}

// newIsland makes one, or leaves the test out.
func newIsland(t *testing.T) *island {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("LEFT OUT: half-open connections: they need root for a network namespace")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("LEFT OUT: half-open connections: they need the command ip of iproute2")
	}
	sink(t)
	id := os.Getpid()
	l := &island{name: fmt.Sprint(islandPrefix, id), here: fmt.Sprint("sbh", id), there: fmt.Sprint("sbt", id), addr: fmt.Sprintf("10.213.%d.1", id%250)}
	t.Cleanup(l.remove)
	for _, args := range [][]string{
		{"netns", "add", l.name},
		{"link", "add", l.here, "type", "veth", "peer", "name", l.there, "netns", l.name},
		{"addr", "add", l.addr + "/24", "dev", l.here},
		{"link", "set", l.here, "up"},
		{"-n", l.name, "addr", "add", strings.TrimSuffix(l.addr, "1") + "2/24", "dev", l.there},
		{"-n", l.name, "link", "set", l.there, "up"},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Skipf("LEFT OUT: half-open connections: ip %s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
	return l
}

// islandPrefix begins the names of all islands; the process that made it follows.
const islandPrefix = "sbx-"

// remove takes the namespace and the wire away.
func (l *island) remove() {
	_ = exec.Command("ip", "link", "del", l.here).Run() // there may be none, if the island was never finished
	_ = exec.Command("ip", "netns", "del", l.name).Run()
}

// sink removes the islands of tests that were killed.
func sink(t *testing.T) {
	t.Helper()
	all, err := filepath.Glob("/run/netns/" + islandPrefix + "*")
	must(t, err)
	for _, path := range all {
		pid := strings.TrimPrefix(filepath.Base(path), islandPrefix)
		if _, err := os.Stat("/proc/" + pid); os.IsNotExist(err) {
			(&island{name: filepath.Base(path), here: "sbh" + pid}).remove()
		}
	}
}

// dial connects from within the namespace. A socket stays in the namespace of the thread that made it.
func (l *island) dial(addr string) (net.Conn, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ours, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer ours.Close()
	theirs, err := os.Open("/run/netns/" + l.name)
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	if err := unix.Setns(int(theirs.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	c, err := (&net.Dialer{FallbackDelay: -1}).Dial("tcp", addr)
	return c, errors.Join(err, unix.Setns(int(ours.Fd()), unix.CLONE_NEWNET))
}

// cut takes the wire away from the far end.
func (l *island) cut() error {
	out, err := exec.Command("ip", "-n", l.name, "link", "set", l.there, "down").CombinedOutput()
	if err != nil {
		return fmt.Errorf("cut the wire: %w: %s", err, out)
	}
	return nil
}

// TestHalfOpen: a crowd vanishes without FIN or RST, at every stage of a login and as online endpoints. Its pushes go back to the store.
func TestHalfOpen(t *testing.T) {
	l := newIsland(t)
	far := freePort(t, l.addr)
	s := newStand(t, settings{tls: []string{far}})
	n := crowdSize(t) / 5
	ids, honest := s.register("vanishes", n), s.register("honest", 1)[0]
	stopWitnesses := s.witnesses()
	_, err := s.times(honest, loginsPerRound)
	must(t, err)
	base := s.settled()
	stopWatching := s.watch()
	stages := []func(*wire, string) error{
		func(*wire, string) error { return nil },
		func(w *wire, _ string) error { return w.secure(t.Context(), s.tls) },
		func(w *wire, _ string) error {
			return errors.Join(w.secure(t.Context(), s.tls), w.ask(header, "</stream:features>"), w.say("<auth"))
		},
		func(w *wire, id string) error {
			return errors.Join(w.secure(t.Context(), s.tls), w.login(id, s.secret(id)), w.ask("<presence/>"+pingText, "id='p'"), w.say("<message>"))
		},
		func(w *wire, id string) error {
			return errors.Join(w.secure(t.Context(), s.tls), w.login(id, s.secret(id)), w.ask("<presence/>"+pingText, "id='p'"))
		},
	}
	for i, id := range ids {
		c, err := l.dial(far)
		must(t, err)
		t.Cleanup(func() { c.Close() })
		must(t, stages[i%len(stages)](&wire{Conn: c}, id))
	}
	quiet, err := s.times(honest, 3*loginsPerRound)
	must(t, err)
	must(t, l.cut())
	online := ids[len(stages)-1]
	r, err := s.api.SendPush(t.Context(), client.NewPush{To: online, Type: "demo.lost"})
	must(t, err)
	ratio := 0.0
	for tried := 0; tried < attempts && (tried == 0 || ratio > mostRatio); tried++ { // before they count as silent
		under, err := s.times(honest, 3*loginsPerRound)
		must(t, err)
		ratio = float64(median(under)) / float64(median(quiet))
	}
	if ratio > mostRatio {
		t.Errorf("honest logins take %.2f times as long beside half-open connections, at most %v", ratio, mostRatio)
	}
	s.awaitOffline(online, "silent")
	s.awaitState(r.ID, "accepted")
	peak := stopWatching()
	after, took := s.calm(honest, base, peak)
	t.Logf("FIGURES %d half-open: base %v; peak %v; after %v, %v later; honest login x%.2f; %d pushes to witnesses",
		n, base, peak, after, took, ratio, stopWitnesses())
	m, err := s.metrics(t.Context())
	must(t, err)
	if got := int(m[`signalbox_endpoint_ended_total{reason="silent"}`]); got < n/len(stages) {
		t.Errorf("%d sessions ended as silent, at least %d vanished", got, n/len(stages))
	}
}

// freePort returns an address on which nobody listens.
func freePort(t *testing.T, host string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}
