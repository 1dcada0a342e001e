package support

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"signalbox/internal/config"
	"signalbox/internal/datadir"
)

// limitsFiles are what the system says of its limits and of how busy it is. Those that a system does not have are left out.
var limitsFiles = []string{
	"/etc/os-release", "/proc/version", "/proc/loadavg", "/proc/meminfo", "/proc/uptime", "/proc/pressure/cpu", "/proc/pressure/io", "/proc/pressure/memory",
	"/proc/net/sockstat", "/proc/net/sockstat6",
	"/proc/sys/fs/file-max", "/proc/sys/fs/file-nr", "/proc/sys/fs/nr_open",
	"/proc/sys/net/core/somaxconn", "/proc/sys/net/core/netdev_max_backlog", "/proc/sys/net/core/rmem_max", "/proc/sys/net/core/wmem_max",
	"/proc/sys/net/ipv4/ip_local_port_range", "/proc/sys/net/ipv4/ip_local_reserved_ports", "/proc/sys/net/ipv4/tcp_max_syn_backlog", "/proc/sys/net/ipv4/tcp_fin_timeout",
	"/proc/sys/net/ipv4/tcp_keepalive_time", "/proc/sys/net/ipv4/tcp_mem", "/proc/sys/net/ipv4/udp_mem", "/proc/sys/net/ipv4/ip_unprivileged_port_start",
	"/proc/sys/net/netfilter/nf_conntrack_count", "/proc/sys/net/netfilter/nf_conntrack_max", "/proc/sys/vm/overcommit_memory", "/proc/sys/vm/swappiness",
	"/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.high", "/sys/fs/cgroup/pids.max", "/sys/kernel/mm/transparent_hugepage/enabled",
}

// machine is what is known of the machine.
type machine struct {
	CPUs        int               `json:"cpus"`
	Files       map[string]string `json:"files"`            // by path, without the white space at their ends
	Limits      string            `json:"limits"`           // of this command
	Server      string            `json:"server,omitempty"` // limits of the running server
	DataDir     space             `json:"data_dir"`
	Environment []string          `json:"environment"` // names of variables that count, without what they say
	Modes       map[string]string `json:"modes"`       // rights of data_dir and of what lies at its top
}

// space is how full a file system is.
type space struct {
	Bytes     uint64 `json:"bytes"`
	FreeBytes uint64 `json:"free_bytes"`
	Inodes    uint64 `json:"inodes"`
	FreeNodes uint64 `json:"free_inodes"`
}

// system is the machine: its limits, and how near to them it is.
func system(_ context.Context, s Source) (any, error) {
	m := machine{CPUs: runtime.NumCPU(), Files: map[string]string{}, Environment: variables(os.Environ()), Modes: modes(s.In.Config.DataDir)}
	var errs []error
	for _, path := range limitsFiles {
		if text, err := contents(path); err != nil {
			errs = append(errs, err)
		} else if text != "" {
			m.Files[path] = text
		}
	}
	var err error
	m.Limits, err = contents("/proc/self/limits")
	errs = append(errs, err)
	if pid, err := datadir.Server(s.In.Config.DataDir); err == nil {
		m.Server, err = contents(filepath.Join("/proc", strconv.Itoa(pid), "limits"))
		errs = append(errs, err)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(s.In.Config.DataDir, &st); err != nil {
		errs = append(errs, &fs.PathError{Op: "statfs", Path: s.In.Config.DataDir, Err: err})
	} else {
		m.DataDir = space{st.Blocks * uint64(st.Bsize), st.Bavail * uint64(st.Bsize), st.Files, st.Ffree}
	}
	return m, errors.Join(errs...)
}

// contents reads a small file; one that is not there has none.
func contents(path string) (string, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(text)), err
}

// variables returns the names of those variables that count for the server or for its connections.
func variables(environ []string) []string {
	names := []string{}
	for _, e := range environ {
		name, _, _ := strings.Cut(e, "=")
		upper := strings.ToUpper(name)
		if config.Configures(name) || strings.HasSuffix(upper, "_PROXY") || strings.HasPrefix(name, "GO") || name == "TZ" || name == "TMPDIR" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// modes returns the rights and owners of a directory and of what lies at its top.
func modes(dir string) map[string]string {
	found := map[string]string{}
	if info, err := os.Stat(dir); err == nil {
		found["."] = rights(info)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return found
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			found[e.Name()] = rights(info)
		}
	}
	return found
}

func rights(info fs.FileInfo) string {
	text := info.Mode().String()
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		text += fmt.Sprintf(" %d:%d", owner.Uid, owner.Gid)
	}
	return text
}
