package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"signalbox/turn/control"
)

// What a server of the usual size wants of the system. deploy/systemd/60-signalbox.conf sets it.
const (
	spareDescriptors = 1024    // beside connections: the database, files, sockets of TURN
	fewDescriptors   = 4096    // below this many a server is no use to a fleet
	wantedBacklog    = 4096    // connections that wait to be accepted when many endpoints come back at a time
	wantedBuffer     = 4 << 20 // bytes, as turn/batch asks for
	leastMemory      = 256 << 20
	perConnection    = 16 << 10 // bytes of an idle session, roughly
)

// limits is the step limits: does the system give what the configuration allows?
func (x *examination) limits() {
	x.descriptors()
	x.waiting()
	x.memory()
	x.conntrack()
	if x.hasTURN() {
		x.ephemeralPorts(x.system(control.EphemeralFile))
		x.buffers()
	}
}

// hasTURN reports whether the TURN process runs on this machine.
func (x *examination) hasTURN() bool {
	return len(x.Config.Listen.TURN) > 0 && x.Config.TURN.Control.URL == ""
}

// system is the path of a file in which the system tells of itself.
func (x *examination) system(path string) string { return filepath.Join(x.root, path) }

// descriptors compares how many files the server may open with the connections that it may take.
func (x *examination) descriptors() {
	who, most := "the running server", uint64(0)
	if p, ok := x.serverProcess(); ok {
		if l, err := p.Limits(); err == nil {
			most = l.OpenFiles
		}
	}
	var own syscall.Rlimit
	if most == 0 && syscall.Getrlimit(syscall.RLIMIT_NOFILE, &own) == nil {
		who, most = "a server that is started like this command", own.Max // a program in Go takes all that it may have
	}
	x.judgeDescriptors(who, most)
}

func (x *examination) judgeDescriptors(who string, most uint64) {
	const check, action = "descriptors", "raise LimitNOFILE of the service, --ulimit nofile of the container, or ulimit -n"
	wanted := x.Config.Listen.MaxConnections
	detail := fmt.Sprintf("%s may open %d files", who, most)
	switch {
	case most == 0:
		x.well(check, "how many files the server may open is not known on this system", "")
	case most < fewDescriptors:
		x.wrong(FewDescriptors, check, detail+": each connection takes one", action)
	case most < uint64(wanted)+spareDescriptors:
		x.warn(FewDescriptors, check, fmt.Sprintf("%s, and listen.max_connections is %d", detail, wanted), action+", or lower listen.max_connections to what will come")
	default:
		x.well(check, detail, "")
	}
}

// waiting looks at how many connections may wait to be accepted.
func (x *examination) waiting() {
	const key = "net.core.somaxconn"
	n, ok := number(x.system("/proc/sys/net/core/somaxconn"))
	switch {
	case !ok:
		x.well(key, "how many connections may wait is not known on this system", "")
	case n < wantedBacklog:
		x.warn(SmallBacklog, key, fmt.Sprintf("%d connections may wait to be accepted: when many endpoints come back at a time, some are turned away", n), setSystem(key, wantedBacklog))
	default:
		x.well(key, fmt.Sprintf("%d connections may wait to be accepted", n), "")
	}
}

func setSystem(key string, value int) string {
	return fmt.Sprintf("sysctl -w %s=%d, and the same in a file of /etc/sysctl.d; restart the server", key, value)
}

// buffers looks at what UDP sockets of TURN may get. A container does not see it.
func (x *examination) buffers() {
	for _, name := range []string{"rmem_max", "wmem_max"} {
		key := "net.core." + name
		n, ok := number(x.system("/proc/sys/net/core/" + name))
		switch {
		case !ok:
			x.well(key, "is not shown here, as in a container: see on the machine itself", "")
		case n < wantedBuffer:
			x.warn(SmallBuffers, key, fmt.Sprintf("is %d bytes, where TURN asks for %d: bursts of what is relayed are lost", n, wantedBuffer), setSystem(key, wantedBuffer))
		default:
			x.well(key, fmt.Sprintf("is %d bytes", n), "")
		}
	}
}

// conntrack looks at the firewall's table, if there is one.
func (x *examination) conntrack() {
	const check = "net.netfilter.nf_conntrack_max"
	most, ok := number(x.system("/proc/sys/net/netfilter/nf_conntrack_max"))
	used, counted := number(x.system("/proc/sys/net/netfilter/nf_conntrack_count"))
	switch {
	case !ok || !counted || most == 0:
		return // no firewall that tracks connections
	case used > most*8/10:
		x.warn(ConntrackFull, check, fmt.Sprintf("%d of %d connections that the firewall can track are in use: above that it drops new ones", used, most), setSystem(check, 2*most))
	default:
		x.well(check, fmt.Sprintf("the firewall tracks %d of at most %d connections", used, most), "")
	}
}

// memory looks at what the server may use: that of the machine, or of the container.
func (x *examination) memory() {
	const check = "memory"
	most, whose := x.machineMemory(), "the machine has"
	if n, ok := x.groupMemory(); ok && (most == 0 || n < most) {
		most, whose = n, "the container or service may use"
	}
	detail := fmt.Sprintf("%s %d MiB", whose, most>>20)
	wanted := uint64(x.Config.Listen.MaxConnections) * perConnection
	switch {
	case most == 0:
		x.well(check, "how much there is is not known on this system", "")
	case most < leastMemory:
		x.warn(LittleMemory, check, detail+": that is little for any fleet", "give it 1 GiB for a thousand endpoints, see docs/OPERATIONS.md")
	case most < wanted:
		x.well(check, fmt.Sprintf("%s; listen.max_connections, %d, would need some %d MiB", detail, x.Config.Listen.MaxConnections, wanted>>20), "")
	default:
		x.well(check, detail, "")
	}
}

func (x *examination) machineMemory() uint64 {
	text, err := os.ReadFile(x.system("/proc/meminfo"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "MemTotal:" {
			n, _ := strconv.ParseUint(fields[1], 10, 54) // KiB; 0 if it is none
			return n << 10
		}
	}
	return 0
}

// groupMemory returns the lowest limit of the control groups that this process is in; ok: there is one.
func (x *examination) groupMemory() (least uint64, ok bool) {
	text, err := os.ReadFile(x.system("/proc/self/cgroup"))
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		id, path, _ := strings.Cut(strings.TrimSpace(line), "::")
		if id != "0" {
			continue // version 1
		}
		for dir := path; ; dir = filepath.Dir(dir) {
			if n, found := number(x.system(filepath.Join("/sys/fs/cgroup", dir, "memory.max"))); found && n > 0 && (!ok || uint64(n) < least) {
				least, ok = uint64(n), true
			}
			if dir == "/" || dir == "." {
				break
			}
		}
	}
	return least, ok
}
