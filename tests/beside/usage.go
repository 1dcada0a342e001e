package beside

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU times in /proc, which Linux shows to programs as 100 per second on every machine.
const tick = 10 * time.Millisecond

// Usage is what a process and all its descendants take.
type Usage struct {
	RSS, PSS int64 // bytes
	CPU      time.Duration
}

// stat is one line of /proc/PID/stat.
type stat struct {
	pid, parent int
	cpu         time.Duration
	rssPages    int64
}

func readStat(pid int) (stat, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return stat{}, err
	}
	_, rest, ok := strings.Cut(string(text), ") ") // the name before may have spaces
	f := strings.Fields(rest)
	if !ok || len(f) < 22 {
		return stat{}, fmt.Errorf("process %d: stat is %q", pid, text)
	}
	number := func(i int) int64 {
		n, _ := strconv.ParseInt(f[i], 10, 64) // the kernel writes numbers here
		return n
	}
	return stat{pid: pid, parent: int(number(1)), cpu: time.Duration(number(11)+number(12)) * tick, rssPages: number(21)}, nil
}

// CPU returns the time that one process has spent, without its descendants.
func CPU(pid int) (time.Duration, error) {
	s, err := readStat(pid)
	return s.cpu, err
}

// family returns a process and its descendants.
func family(pid int) ([]stat, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	children := map[int][]stat{}
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if s, err := readStat(n); err == nil { // else it has just ended
			children[s.parent] = append(children[s.parent], s)
		}
	}
	root, err := readStat(pid)
	if err != nil {
		return nil, err
	}
	all := []stat{root}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i].pid]...)
	}
	return all, nil
}

// Measure reads what a process tree takes now.
func Measure(pid int) (Usage, error) {
	all, err := family(pid)
	if err != nil {
		return Usage{}, err
	}
	var u Usage
	for _, s := range all {
		u.CPU += s.cpu
		rollup, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.pid), "smaps_rollup"))
		if errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return Usage{}, err
		}
		u.RSS += kilobytes(string(rollup), "Rss:")
		u.PSS += kilobytes(string(rollup), "Pss:")
	}
	return u, nil
}

// TreeCPU returns the time that a process and its descendants have spent.
func TreeCPU(pid int) (sum time.Duration, err error) {
	all, err := family(pid)
	for _, s := range all {
		sum += s.cpu
	}
	return sum, err
}

// Resident is the RSS alone, cheap enough for sampling.
func Resident(pid int) (int64, error) {
	all, err := family(pid)
	var pages int64
	for _, s := range all {
		pages += s.rssPages
	}
	return pages * int64(os.Getpagesize()), err
}

func kilobytes(text, key string) int64 {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, key); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			return n << 10
		}
	}
	return 0
}

// MachineBusy returns the CPU time that the whole machine has spent working.
func MachineBusy() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	var busy time.Duration
	for i, f := range strings.Fields(line)[1:] {
		if n, err := strconv.ParseInt(f, 10, 64); err == nil && i < 8 && i != 3 && i != 4 { // neither idle nor waiting for a disk
			busy += time.Duration(n) * tick
		}
	}
	return busy, nil
}
