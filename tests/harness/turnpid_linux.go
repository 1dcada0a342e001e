package harness

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TURNPid returns the id of the TURN process of a server of this test, which must run one server with TURN alone, and waits until there is one.
func TURNPid(t *testing.T) (pid int) {
	t.Helper()
	Await(t, func() bool {
		files, err := filepath.Glob("/proc/[0-9]*/stat")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if isTURNProcess(file) {
				pid, err = strconv.Atoi(filepath.Base(filepath.Dir(file)))
				return err == nil
			}
		}
		return false
	}, func() string { return "there is no TURN process" })
	return pid
}

// isTURNProcess reports whether a file stat of /proc is that of a TURN process which this one has started.
func isTURNProcess(file string) bool {
	stat, _ := os.ReadFile(file) // it may have ended since
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	args, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
	return len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) && strings.Contains(string(args), TURNProcess)
}
