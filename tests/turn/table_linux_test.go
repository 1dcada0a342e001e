package turn

import (
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/tests/turn/rawturn"
)

// silent is how long a row waits whose right answer is none.
const silent = rawturn.Silence

// commonRows are those of a server that opens nothing beyond the session.
func commonRows() []row {
	return slices.Concat(frameRows(), sizeRows(), credentialRows(), ownerRows(), requestRows(), peerRows(), hairpinRows())
}

// hold runs a row and compares its answer.
func (g *target) hold(t *testing.T, r row, want string) {
	t.Run(r.name, func(t *testing.T) {
		t.Parallel()
		wait := rawturn.Patience
		if strings.Contains(want, "silence") {
			wait = silent
		}
		right := strings.Split(want, "|")
		if got := r.probe(&probe{T: t, target: g, wait: wait}); !slices.Contains(right, got) {
			t.Errorf("got %s, want %s", got, strings.Join(right, " or "))
		}
	})
}

// holdAll runs rows at the same time, and looks afterwards whether the same process still serves, and rests.
func (g *target) holdAll(t *testing.T, rows []row) {
	before := g.process()
	t.Run("rows", func(t *testing.T) {
		for _, r := range rows {
			g.hold(t, r, r.want)
		}
	})
	p := &probe{T: t, target: g, wait: rawturn.Patience}
	p.alive()
	p.rests()
	if after := g.process(); after != before {
		t.Errorf("the TURN process is %d, was %d: it ended meanwhile", after, before)
	}
}

// TestAttacks is the table of attacks on a server with the default policy: closed but for the two sides of a session.
func TestAttacks(t *testing.T) {
	s := newStand(t, settings{turn: outside4(t)})
	s.target().holdAll(t, commonRows())
}

// TestAttacksOnLoopbackRelays is that part of the table for which it matters that relays lie on loopback, where a server under test is.
func TestAttacksOnLoopbackRelays(t *testing.T) {
	s := newStand(t, settings{})
	s.target().holdAll(t, slices.Concat(loopbackRows(), hairpinRows()))
}

// TestAttacksOnOpenPeers is that part of the table for which the configuration opens all it can.
func TestAttacksOnOpenPeers(t *testing.T) {
	s := newStand(t, settings{turn: outside(t) + "  allow_peers: [0.0.0.0/0, \"::/0\"]\n"})
	rows := openRows()
	if _, six := outsideAddrs(t); six.IsValid() {
		rows = append(rows, open6Rows()...)
	} else {
		t.Log("LEFT OUT: attacks on TURN with IPv6 relays: this machine has no IPv6 address but loopback")
	}
	s.target().holdAll(t, rows)
}

// patience is how long something may take that must come; only what fails waits it out.
const patience = time.Minute

// await looks until ok is true, and fails with what problem says if that does not come in time.
func await(t *testing.T, ok func() bool, problem func() string) {
	t.Helper()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	end := time.After(patience)
	for !ok() {
		select {
		case <-look.C:
		case <-end:
			t.Fatal(problem())
		}
	}
}
