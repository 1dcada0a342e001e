package doctor

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"

	"signalbox/internal/store"
)

// serverProcess returns the process of a running server, which is the one that holds the database open; ok: it was found, which needs the rights of its user.
func (x *examination) serverProcess() (_ procfs.Proc, ok bool) {
	path, err := store.Locate(x.Config.Store.URL, x.Config.DataDir)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if x.Running == nil || err != nil {
		return procfs.Proc{}, false
	}
	all, err := procfs.AllProcs()
	if err != nil {
		return procfs.Proc{}, false
	}
	for _, p := range all {
		open, err := p.FileDescriptorTargets() // fails for those of other users, and those that are gone
		if err == nil && p.PID != os.Getpid() && slices.Contains(open, path) {
			return p, true
		}
	}
	return procfs.Proc{}, false
}

// number reads a file that holds one number, as those below /proc/sys do; ok: it is there and does.
func number(path string) (n int, ok bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err = strconv.Atoi(strings.TrimSpace(string(text)))
	return n, err == nil
}
