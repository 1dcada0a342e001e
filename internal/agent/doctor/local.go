package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"signalbox/internal/agent"
	"signalbox/internal/agent/ladder"
	"signalbox/internal/agent/path"
	"signalbox/internal/agent/status"
)

// Bounds of what is well.
const (
	leastSpace  = 16 << 20  // bytes for the journal
	scarceSpace = 256 << 20 // its largest size, with room to write it anew
	wrongClock  = 5 * time.Minute
	offClock    = 30 * time.Second
)

// configuration notes every mistake; false: nothing else can be looked at.
func (x *examination) configuration() bool {
	name := x.File
	if name == "" {
		name = "flags"
	}
	for _, err := range split(x.Err) {
		x.wrong(partConfig, name, err.Error(), "correct it; docs/AGENT.md has all keys")
	}
	if x.Err == nil {
		x.well(partConfig, name, "endpoint "+x.Config.ID+" of "+x.Config.Domain)
	}
	return x.Err == nil
}

// split takes joined errors apart.
func split(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || strings.Count(err.Error(), "\n") == 0 {
		return []error{err}
	}
	var out []error
	for _, e := range joined.Unwrap() {
		out = append(out, split(e)...)
	}
	return out
}

// files looks at the files that the configuration names; err is what was wrong with reading them.
func (x *examination) files(err error) {
	for _, e := range split(err) {
		key, detail, _ := strings.Cut(e.Error(), ": ")
		x.wrong(partFiles, key, detail, "correct the file or the key, and see that the user that runs the agent may read it")
	}
	if err == nil {
		for _, f := range []struct{ key, path string }{
			{"secret_file", x.Config.SecretFile}, {"key_file", x.Config.KeyFile}, {"proxy_password_file", x.Config.ProxyPasswordFile}, {"ca_file", x.Config.CAFile},
		} {
			if f.path != "" {
				x.well(partFiles, f.key, f.path+" can be read")
			}
		}
	}
	x.stateDir()
}

// stateDir looks whether the journal can be written, and has room.
func (x *examination) stateDir() {
	dir := x.Config.StateDir
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		x.warn(partFiles, "state_dir", dir+" does not exist yet", "start the agent, which makes it")
		return
	}
	f, err := os.CreateTemp(dir, "doctor-")
	if err == nil {
		err = errors.Join(f.Close(), os.Remove(f.Name()))
	}
	if err != nil {
		x.wrong(partFiles, "state_dir", "cannot be written: "+err.Error(), "run this as the user that runs the agent, and let that user write to "+dir)
		return
	}
	free, err := freeSpace(dir)
	room := fmt.Sprintf("%s can be written, and has %d MiB free", dir, free>>20)
	switch {
	case err != nil:
		x.warn(partFiles, "state_dir", "its free space is not known: "+err.Error(), "see that the disk is well")
	case free < leastSpace:
		x.wrong(partFiles, "state_dir", room+": no push can be taken without the journal", "make room on the disk of "+filepath.Clean(dir))
	case free < scarceSpace:
		x.warn(partFiles, "state_dir", room, "make room on the disk of "+filepath.Clean(dir))
	default:
		x.well(partFiles, "state_dir", room)
	}
}

// clock compares the time here with the server's, on the first way on which that can be asked for.
func (x *examination) clock(ctx context.Context, ways *path.Finder, trials []trial) {
	for _, t := range trials {
		if t.failure != nil || !t.route.Direct {
			continue
		}
		theirs, err := ways.ServerTime(ctx, t.route)
		if err != nil {
			continue
		}
		here := x.now()
		off := theirs.Sub(here).Abs()
		const action = "set the clock, and have a time service keep it: pushes expire and certificates are judged by it"
		switch {
		case off > wrongClock:
			x.checks = append(x.checks, Check{Step: partClock, Check: "this machine's clock", Code: ladder.ClockWrong.Code, Detail: path.Skew(here, theirs), Action: action})
		case off > offClock:
			x.warn(partClock, "this machine's clock", path.Skew(here, theirs), action)
		default:
			x.well(partClock, "this machine's clock", "agrees with the server's")
		}
		return
	}
}

// agent looks at the agent that runs here: what lies behind the login is seen there.
func (x *examination) agent() {
	s, err := agent.ReadStatus(x.Config.StateDir)
	const start = "start it: signalbox-agent run"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		x.warn(partAgent, "agent", "none has run here, so no session was tried", start)
	case err != nil:
		x.wrong(partAgent, "agent", "its status cannot be read: "+err.Error(), "run this as the user that runs the agent")
	case !s.Running:
		x.wrong(partAgent, "agent", "does not run", start)
	case s.State == status.Online:
		x.well(partAgent, "agent", fmt.Sprintf("online since %s at %s", s.Since.Format(time.RFC3339), s.Through.Remote))
	case s.LastFailure == nil:
		x.warn(partAgent, "agent", "runs, and is not online yet", "ask again in a minute")
	default:
		x.checks = append(x.checks, Check{Step: partAgent, Check: "agent", Code: s.LastFailure.Code,
			Detail: fmt.Sprintf("runs, and is not online: %s (%s)", s.LastFailure.Text, s.LastFailure.Code), Action: s.LastFailure.Action})
	}
}
