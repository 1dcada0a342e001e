package control

import (
	"os"
	"strconv"
	"strings"
)

// EphemeralFile is where Linux says which ports it gives to sockets that did not ask for one.
const EphemeralFile = "/proc/sys/net/ipv4/ip_local_port_range"

// EphemeralOverlap reports whether the system gives relay ports to other sockets, and which ports it gives, low to high. It does not where the file, which is
// EphemeralFile, cannot be read.
func EphemeralOverlap(file string, minPort, maxPort int) (low, high int, overlaps bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, 0, false // not Linux, or hidden: nothing to advise
	}
	low, high, ok := portRange(string(text))
	return low, high, ok && high >= minPort && low <= maxPort
}

func portRange(text string) (low, high int, ok bool) {
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return 0, 0, false
	}
	low, errLow := strconv.Atoi(fields[0])
	high, errHigh := strconv.Atoi(fields[1])
	return low, high, errLow == nil && errHigh == nil
}
