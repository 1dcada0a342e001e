package doctor

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// tells has the system of x say something of itself.
func tells(t *testing.T, x *examination, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(x.system(path)), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, x.system(path), []byte(text))
}

func TestDescriptors(t *testing.T) {
	x := example(t)
	x.Config.Listen.MaxConnections = 10_000
	for _, n := range []uint64{0, 1000, 10_000, 20_000} {
		x.judgeDescriptors("the running server", n)
	}
	wantLines(t, x, "ok descriptors: how many files the server may open is not known", "wrong descriptors: the running server may open 1000 files: each connection takes one",
		"warning descriptors: the running server may open 10000 files, and listen.max_connections is 10000", "ok descriptors: the running server may open 20000 files")
}

func TestLimits(t *testing.T) {
	const mebibyte = "1048576"
	for _, tc := range []struct {
		name  string
		files map[string]string
		want  []string // that are wrong or warn, but for the descriptors, which are the test's own
	}{
		{"nothing is known", nil, nil},
		{"all is well", map[string]string{
			"/proc/sys/net/core/somaxconn": "4096\n", "/proc/sys/net/core/rmem_max": "4194304\n", "/proc/sys/net/core/wmem_max": "4194304\n",
			"/proc/sys/net/netfilter/nf_conntrack_max": "262144\n", "/proc/sys/net/netfilter/nf_conntrack_count": "90\n",
			"/proc/meminfo": "MemTotal:       8000000 kB\nMemFree: 1 kB\n", "/proc/sys/net/ipv4/ip_local_port_range": "20000 49151\n",
		}, nil},
		{"little of everything", map[string]string{
			"/proc/sys/net/core/somaxconn": "128\n", "/proc/sys/net/core/rmem_max": "212992\n", "/proc/sys/net/core/wmem_max": "212992\n",
			"/proc/sys/net/netfilter/nf_conntrack_max": "1000\n", "/proc/sys/net/netfilter/nf_conntrack_count": "900\n",
			"/proc/meminfo": "MemTotal:       200000 kB\n", "/proc/sys/net/ipv4/ip_local_port_range": "32768 60999\n",
		}, []string{
			"net.core.somaxconn: 128 connections may wait", "memory: the machine has 195 MiB: that is little", "nf_conntrack_max: 900 of 1000 connections",
			"ports of the system: 32768 to 60999 are given to any socket", "net.core.rmem_max: is 212992 bytes, where TURN asks for 4194304", "net.core.wmem_max: is 212992 bytes",
		}},
		{"a container with little memory", map[string]string{
			"/proc/meminfo": "MemTotal: 8000000 kB\n", "/proc/self/cgroup": "0::/system.slice/signalbox.service\n", "/sys/fs/cgroup/system.slice/memory.max": mebibyte + "00\n",
			"/sys/fs/cgroup/system.slice/signalbox.service/memory.max": "max\n",
		}, []string{"memory: the container or service may use 100 MiB: that is little"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := example(t)
			x.Config.Listen.TURN = []string{":3478"}
			for path, text := range tc.files {
				tells(t, x, path, text)
			}
			x.take(t.Context(), []Step{Limits})
			var got []string
			for i, c := range x.checks {
				if (!c.OK || c.Warning) && c.Check != "descriptors" {
					got = append(got, lines(x)[i])
				}
			}
			if len(got) != len(tc.want) {
				t.Fatalf("found %q, want %q", got, tc.want)
			}
			for i := range got {
				if !strings.Contains(got[i], tc.want[i]) {
					t.Errorf("line %d is %q, want %q in it", i, got[i], tc.want[i])
				}
			}
		})
	}
}

// TestSystemFile: the file of the package sets what the step wants and no more: with it nothing is said, and where one of its values is missed, its value is advised.
func TestSystemFile(t *testing.T) {
	text, err := os.ReadFile("../../deploy/systemd/60-signalbox.conf")
	if err != nil {
		t.Fatal(err)
	}
	set := regexp.MustCompile(`(?m)^([^#=\n]+) = (.+)$`).FindAllStringSubmatch(string(text), -1)
	if len(set) == 0 {
		t.Fatal("the file sets nothing")
	}
	for missed := -1; missed < len(set); missed++ {
		x := example(t)
		x.Config.Listen.TURN = []string{":3478"}
		var want, got []string
		for i, m := range set {
			value := m[2]
			if i == missed {
				want, value = []string{"sysctl -w " + m[1] + "=" + value}, worse(t, value)
			}
			tells(t, x, "/proc/sys/"+strings.ReplaceAll(m[1], ".", "/"), value+"\n")
		}
		x.take(t.Context(), []Step{Limits})
		for _, c := range x.checks {
			if (!c.OK || c.Warning) && c.Check != "descriptors" {
				advice, _, _ := strings.Cut(strings.ReplaceAll(c.Action, `"`, ""), ",")
				got = append(got, advice)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("with value %d of the file missed the advice is %q, want %q", missed, got, want)
		}
	}
}

// worse misses a value by one: a number is too small, a range ends in that of the relay ports.
func worse(t *testing.T, value string) string {
	t.Helper()
	low, high, isRange := strings.Cut(value, " ")
	n, err := strconv.Atoi(low)
	if isRange {
		n, err = strconv.Atoi(high)
	}
	switch {
	case err != nil:
		t.Fatal(err)
	case isRange:
		return low + " " + strconv.Itoa(n+1)
	}
	return strconv.Itoa(n - 1)
}
