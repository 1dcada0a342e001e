package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox/certs"
	"signalbox/turn/control"
)

// Server is the step of what only the running server itself knows.
const Server Step = "server"

// Running is what a running server knows of itself.
type Running struct {
	Now        time.Time
	Started    time.Time     // both with their monotonic readings
	Unsynced   bool          // the system says that its clock follows no time server
	Closed     string        // why endpoints cannot connect; empty: they can
	Listeners  []string      // addresses that are open, each with its name
	Bundles    certs.Report  // as they were last read
	Unwritable string        // why the store takes no writes; empty: it does
	FilesOpen  int           // file descriptors; 0: not known
	FilesMost  int           // as many may be open; 0: not known
	Refused    []Refused     // in the last hour, the most frequent first
	Restless   []Restless    // endpoints that flap, or as which two programs log in
	Backlog    int           // events that the management server takes too late, at most
	Waited     time.Duration // as long as the oldest of them
	Aside      int           // events that it refuses while it takes others
	Untold     Refused       // why it takes none: Summary and Action alone; zero: it does
	TURN       bool          // it keeps a TURN process at work
	TURNAway   string        // why that is not there; empty: it is
}

// Restless is an endpoint with what its diagnosis says; the code is empty where it was not asked for.
type Restless struct{ ID, Code string }

// Refused is how often connections or logins were refused for one reason.
type Refused struct {
	Code      string
	Throttled bool // by a limit of ours
	N         int
	At        time.Time // of the newest
	From      string    // address of that
	Seen      string    // what the reason is
	Summary   string
	Action    string
}

// ExamineRunning looks at the database and at DNS as Examine does, and at what the server knows of itself. It makes no connections to it, unless a name leads to an address that is not
// this machine's.
func ExamineRunning(ctx context.Context, in Installation, r Running) []Check {
	x := &examination{Installation: in, now: r.Now}
	checks := Examine(ctx, in, DNS, Store)
	for _, s := range []struct {
		step Step
		look func(*Running)
	}{{TLS, x.ownBundles}, {TURN, x.ownTURN}, {Server, x.ownListeners}, {Server, x.ownStore}, {Server, x.ownClock}, {Server, x.ownFiles}, {Server, x.ownRefusals}, {Server, x.ownEndpoints}, {Server, x.ownEvents}} {
		x.step = s.step
		s.look(&r)
	}
	return append(checks, x.checks...)
}

func (x *examination) ownBundles(r *Running) {
	for _, f := range r.Bundles.Files {
		x.bundle(f)
	}
}

func (x *examination) ownTURN(r *Running) {
	switch {
	case !r.TURN:
		x.well("process", "TURN is off", "")
		return
	case r.TURNAway != "":
		x.wrong(TURNAway, "process", r.TURNAway, "see in the server's log why it ends or does not start, or with turn.control.url on the other host; it is tried again by itself")
	default:
		x.well("process", "is at work", "signalbox doctor turn asks its ports")
	}
	if x.Config.TURN.Control.URL == "" {
		x.relay()
		x.ephemeralPorts(control.EphemeralFile)
	}
}

func (x *examination) ownListeners(r *Running) {
	if r.Closed != "" {
		x.wrong(PortClosed, "listeners", "443 and 5222 are closed: "+r.Closed, "put a valid bundle into certs.dir, or set the clock; they open by themselves then")
		return
	}
	x.well("listeners", "open: "+strings.Join(r.Listeners, ", "), "")
}

func (x *examination) ownStore(r *Running) {
	if r.Unwritable != "" {
		x.wrong(NotWritable, "store", "takes no writes: "+r.Unwritable, "free space on the file system of data_dir; it goes on by itself then")
		return
	}
	x.well("store", "takes writes", "")
}

// clockStep is how far the wall clock may go from the monotonic one before that is worth a word.
const clockStep = 30 * time.Second

// ownClock compares the clock of the wall with the one that nobody sets.
func (x *examination) ownClock(r *Running) {
	moved := r.Now.Round(0).Sub(r.Started.Round(0)) - r.Now.Sub(r.Started)
	switch {
	case moved > clockStep, moved < -clockStep:
		x.warn(ClockSet, "clock", fmt.Sprintf("was set by %s since the start", moved.Round(time.Second)), "see that a time service sets it smoothly: times of pushes and certificates are as good as it is")
	case r.Unsynced:
		x.warn(ClockUnsynced, "clock", r.Now.UTC().Format(time.RFC3339)+"; the system says that it follows no time server", "run a time service, such as chrony or systemd-timesyncd")
	default:
		x.well("clock", r.Now.UTC().Format(time.RFC3339), "")
	}
}

func (x *examination) ownFiles(r *Running) {
	detail := fmt.Sprintf("%d of %d file descriptors are in use", r.FilesOpen, r.FilesMost)
	switch {
	case r.FilesMost == 0 || r.FilesOpen == 0:
		x.well("files", "how many file descriptors are in use is not known on this system", "")
	case r.FilesOpen > r.FilesMost*8/10:
		x.warn(FewDescriptors, "files", detail+"; each connection takes one", "raise LimitNOFILE of the service, or ulimit -n")
	default:
		x.well("files", detail, "")
	}
}

// MostNamed is how many reasons or endpoints are named.
const MostNamed = 10

func (x *examination) ownRefusals(r *Running) {
	if len(r.Refused) == 0 {
		x.well("refusals", "nothing was refused in the last hour", "")
	}
	for _, f := range r.Refused[:min(MostNamed, len(r.Refused))] {
		check := "refusals, " + f.Code
		if f.Throttled {
			check = "limits, " + f.Code
		}
		x.warn(Code(f.Code), check, fmt.Sprintf("%d in the last hour, the last at %s from %s: %s", f.N, f.At.UTC().Format(time.RFC3339), f.From, f.Seen), f.Action)
	}
	if !slices.ContainsFunc(r.Refused, func(f Refused) bool { return f.Throttled }) {
		x.well("limits", "nobody was turned away by a limit in the last hour", "")
	}
}

func (x *examination) ownEndpoints(r *Running) {
	if len(r.Restless) == 0 {
		x.well("endpoints", "none comes and goes, and no two programs log in as the same one", "")
		return
	}
	var named []string
	for _, e := range r.Restless[:min(MostNamed, len(r.Restless))] {
		named = append(named, e.ID+" ("+e.Code+")")
	}
	x.warn(RestlessEndpoints, "endpoints", fmt.Sprintf("%d come and go, or two programs log in as one: %s", len(r.Restless), strings.Join(named, ", ")),
		"look at signalbox endpoint diagnose of each; clones of one image need an id and a secret of their own")
}

func (x *examination) ownEvents(r *Running) {
	switch {
	case r.Untold.Summary != "":
		x.wrong(EventsRefused, "events", r.Untold.Summary, r.Untold.Action)
	case r.Backlog > 0:
		x.warn(EventBacklog, "events", fmt.Sprintf("%d wait for the management server, the oldest for %s", r.Backlog, r.Waited.Round(time.Second)), "look why it takes them so slowly")
	case r.Aside > 0:
		x.warn(EventsAside, "events", fmt.Sprintf("%d are refused by the management server, which takes others", r.Aside), "see signalbox webhook deliveries management --failed which they are and why")
	default:
		x.well("events", "none waits for long", "")
	}
}
