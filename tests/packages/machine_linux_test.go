package packages

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long something may take that must come; only what fails waits it out.
const patience = 60 * time.Second

// bootScript makes the root of the machine, enters it and becomes its systemd. It is process 1 of its namespaces. $1 is the machine's directory, with files that it has beyond those of this machine. Of the kernel's
// settings it may change those of its own network alone: the others would be this machine's.
const bootScript = `set -e
mount --make-rprivate /
cd "$1"
mount -t tmpfs tmpfs ram
cd ram
mkdir work root
cp -a ../files upper
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
mount -t proc proc root/proc
mount --bind root/proc/sys root/proc/sys
mount -o remount,bind,ro root/proc/sys
mount --bind root/proc/sys/net root/proc/sys/net
mount -o remount,bind,rw root/proc/sys/net
mount -t sysfs -o ro sysfs root/sys
mount -t cgroup2 cgroup2 root/sys/fs/cgroup
mount -t tmpfs tmpfs root/run
mount -t tmpfs tmpfs root/tmp
mount -t tmpfs tmpfs root/dev
for d in null zero full random urandom tty; do touch root/dev/$d; mount --bind /dev/$d root/dev/$d; done
mkdir root/dev/shm root/dev/pts
mount -t tmpfs tmpfs root/dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts root/dev/pts
ln -s pts/ptmx root/dev/ptmx
ln -s /proc/self/fd root/dev/fd
ip link set lo up
ip address add 192.0.2.10/32 dev lo
mkdir root/run/before
cd root
pivot_root . run/before
umount -l /run/before
exec /lib/systemd/systemd --unit=basic.target --show-status=no --log-target=journal
`

// smallTarget takes the place of basic.target: none of this machine's timers and sockets.
const smallTarget = "[Unit]\nRequires=sysinit.target\nAfter=sysinit.target\nDefaultDependencies=no\n"

// masked are services that have no business in the machine: they would set up networks and devices that are not there.
var masked = []string{
	"networking.service", "ifupdown-pre.service", "systemd-networkd.service", "systemd-networkd-wait-online.service", "NetworkManager.service", "NetworkManager-wait-online.service", "systemd-udevd.service",
	"systemd-timesyncd.service", "systemd-resolved.service", "systemd-pstore.service",
}

// machine is a Debian with a systemd of its own.
type machine struct {
	t     *testing.T
	dir   string
	init  int    // process id of its systemd, as seen from here
	group string // its control group
}

// newMachine boots a machine that ends with the test, or skips the test where that is not possible.
func newMachine(t *testing.T) *machine {
	t.Helper()
	if os.Geteuid() != 0 {
		leftOut(t, "a machine of namespaces needs root")
	}
	for program, pkg := range map[string]string{"systemctl": "systemd", "unshare": "util-linux", "dpkg": "dpkg", "ip": "iproute2"} {
		need(t, program, pkg)
	}
	dir, err := os.MkdirTemp("", "signalbox-machine-")
	must(t, err)
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
	units := filepath.Join(dir, "files/etc/systemd/system")
	must(t, errors.Join(os.MkdirAll(units, 0o755), os.Mkdir(filepath.Join(dir, "ram"), 0o755)))
	must(t, os.WriteFile(filepath.Join(units, "basic.target"), []byte(smallTarget), 0o644))
	for _, unit := range masked {
		must(t, os.Symlink("/dev/null", filepath.Join(units, unit)))
	}
	m := &machine{t: t, dir: dir}
	m.makeGroup()
	m.boot()
	m.run("rm", "-f", "/usr/sbin/policy-rc.d") // here services are to be started
	t.Cleanup(func() {
		if t.Failed() {
			journal, _ := m.command("journalctl", "--no-pager", "--lines=250").Output()
			t.Logf("the machine's journal ends with\n%s", journal)
		}
	})
	return m
}

// makeGroup makes a control group, of version 2, that is all that the machine sees.
func (m *machine) makeGroup() {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	must(m.t, err)
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); strings.Contains(line, " - cgroup2 ") {
			m.group = filepath.Join(fields[4], filepath.Base(m.dir)) // the fifth is where it is mounted
		}
	}
	if m.group == "" {
		leftOut(m.t, "control groups of version 2 are not mounted")
	}
	if err := os.Mkdir(m.group, 0o755); err != nil {
		leftOut(m.t, "no control group can be made: %v", err)
	}
	m.t.Cleanup(m.removeGroup)
}

// removeGroup removes the group with those below it, deepest first; their processes have ended.
func (m *machine) removeGroup() {
	var all []string
	_ = filepath.WalkDir(m.group, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			all = append(all, path)
		}
		return nil
	})
	for i := len(all) - 1; i >= 0; i-- {
		if err := os.Remove(all[i]); err != nil {
			m.t.Errorf("clean up: %v", err)
		}
	}
}

// boot starts the machine's systemd and waits until it has booted.
func (m *machine) boot() {
	group, err := os.Open(m.group)
	must(m.t, err)
	defer group.Close()
	console, err := os.Create(filepath.Join(m.dir, "console"))
	must(m.t, err)
	defer console.Close()
	cmd := exec.Command("unshare", "--cgroup", "--", "/bin/sh", "-c", bootScript, "boot", m.dir) // not by a flag below: its root would be our own group
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "container=signalbox-test"}
	cmd.Stdout, cmd.Stderr = console, console
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWNET,
		UseCgroupFD: true, CgroupFD: int(group.Fd()), Pdeathsig: syscall.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		leftOut(m.t, "no namespaces can be made: %v", err)
	}
	m.init = cmd.Process.Pid
	m.t.Cleanup(func() {
		_ = cmd.Process.Kill() // and with it all processes of the machine
		_ = cmd.Wait()
	})
	if err := m.eventually(func() bool {
		out, _ := m.command("systemctl", "is-system-running").Output()
		return strings.HasPrefix(string(out), "running") || strings.HasPrefix(string(out), "degraded")
	}); err != nil {
		said, _ := os.ReadFile(console.Name())
		leftOut(m.t, "systemd does not boot in namespaces: %s", said)
	}
}

// command is a program that runs inside the machine.
func (m *machine) command(args ...string) *exec.Cmd {
	cmd := exec.Command("nsenter", append([]string{"--target", strconv.Itoa(m.init), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--"}, args...)...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "HOME=/root", "SYSTEMD_PAGER="}
	return cmd
}

// try runs a program inside the machine and returns what it said, also where it failed.
func (m *machine) try(args ...string) (string, error) {
	out, err := m.command(args...).CombinedOutput()
	return string(out), err
}

// run runs a program that must succeed inside the machine, and returns what it wrote to standard output.
func (m *machine) run(args ...string) string {
	m.t.Helper()
	cmd := m.command(args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		m.t.Fatalf("%s: %v\n%s%s", strings.Join(args, " "), err, out, errs.String())
	}
	return strings.TrimSpace(string(out))
}

// path is where a file of the machine is seen from here.
func (m *machine) path(name string) string { return fmt.Sprintf("/proc/%d/root%s", m.init, name) }

func (m *machine) write(name, text string) {
	m.t.Helper()
	must(m.t, os.WriteFile(m.path(name), []byte(text), 0o644))
}

// install installs a package file and returns what dpkg said.
func (m *machine) install(file string) string {
	m.t.Helper()
	text, err := os.ReadFile(file)
	must(m.t, err)
	name := "/tmp/" + filepath.Base(file)
	must(m.t, os.WriteFile(m.path(name), text, 0o644))
	out, err := m.try("dpkg", "--force-confold", "--install", name)
	if err != nil {
		m.t.Fatalf("dpkg: %v\n%s", err, out)
	}
	return out
}

// property returns one of what systemd knows of a unit.
func (m *machine) property(unit, name string) string {
	m.t.Helper()
	return m.run("systemctl", "show", unit, "--property="+name, "--value")
}

func (m *machine) number(unit, name string) int {
	m.t.Helper()
	n, err := strconv.Atoi(m.property(unit, name))
	must(m.t, err)
	return n
}

// await waits until something is so.
func (m *machine) await(what string, is func() bool) {
	m.t.Helper()
	if err := m.eventually(is); err != nil {
		m.t.Fatalf("%s: %v", what, err)
	}
}

func (m *machine) eventually(is func() bool) error {
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-look.C {
		if is() {
			return nil
		}
	}
	return fmt.Errorf("not so within %v", patience)
}
