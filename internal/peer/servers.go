package peer

import (
	"net"
	"strconv"
	"strings"

	"signalbox/internal/signalling"
)

// maxTargets bounds how many URLs of TURN servers are used.
const maxTargets = 8

// target is one URL of a TURN server (RFC 7065). The library is told a name of our own instead of the server's, so that what it asks for can be told apart: it looks names up,
// dials and probes by them, and gets from network what is right for the rung.
type target struct {
	rung                 string
	name                 string // for the library, below .invalid (RFC 6761)
	host, port           string
	username, credential string
}

func (t target) address() string { return net.JoinHostPort(t.host, t.port) }

// url returns the URL for the library.
func (t target) url() string {
	switch t.rung {
	case signalling.RungTURNUDP:
		return "turn:" + t.name + ":" + t.port + "?transport=udp"
	case signalling.RungTURNTCP:
		return "turn:" + t.name + ":" + t.port + "?transport=tcp"
	}
	return "turns:" + t.name + ":" + t.port + "?transport=tcp"
}

// parseServers returns what is of use among servers; what is not understood is passed over, as RFC 8829 section 4.1.2.1 allows for newer schemes.
func parseServers(servers []signalling.ICEServer) (targets []target) {
	for _, s := range servers {
		for _, u := range s.URLs {
			t, ok := parseURL(u)
			if !ok || s.Username == "" || s.Credential == "" || len(targets) == maxTargets {
				continue
			}
			t.name, t.username, t.credential = "t"+strconv.Itoa(len(targets))+".invalid", s.Username, s.Credential
			targets = append(targets, t)
		}
	}
	return targets
}

// parseURL reads turn:host[:port][?transport=udp|tcp] and turns:host[:port][?transport=tcp]. TURN over DTLS is no rung of ours.
func parseURL(text string) (target, bool) {
	scheme, rest, _ := strings.Cut(text, ":")
	rest, query, _ := strings.Cut(rest, "?")
	transport := strings.TrimPrefix(query, "transport=")
	t := target{host: rest}
	switch {
	case scheme == "turn" && (transport == "udp" || query == ""):
		t.rung, t.port = signalling.RungTURNUDP, "3478"
	case scheme == "turn" && transport == "tcp":
		t.rung, t.port = signalling.RungTURNTCP, "3478"
	case scheme == "turns" && (transport == "tcp" || query == ""):
		t.rung, t.port = signalling.RungTURNTLS, "5349"
	default:
		return target{}, false
	}
	if host, port, err := net.SplitHostPort(rest); err == nil {
		t.host, t.port = host, port
	}
	t.host = strings.Trim(t.host, "[]")
	if n, err := strconv.ParseUint(t.port, 10, 16); err != nil || n == 0 || t.host == "" || strings.ContainsAny(t.host, "/@ \t\r\n") {
		return target{}, false
	}
	return t, true
}
