package feature

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"mellium.im/xmpp/jid"
)

// Service is a server beside ours that clients may use (XEP-0215).
type Service struct {
	Type      string // stun, stuns, turn or turns
	Host      string // name, or address without brackets
	Port      int
	Transport string // udp or tcp
}

// relays reports whether the service demands credentials.
func (s Service) relays() bool { return s.Type == "turn" || s.Type == "turns" }

// ParseServices reads what operators write of a STUN or TURN server: a URI of RFC 7064 or 7065 such as turn:turn.example.com:3478?transport=tcp, or host, or host:port,
// which stands for STUN, and TURN over UDP and TCP.
func ParseServices(text string) ([]Service, error) {
	scheme, rest, hasScheme := strings.Cut(text, ":")
	if !hasScheme || scheme != "stun" && scheme != "stuns" && scheme != "turn" && scheme != "turns" {
		scheme, rest = "", text
	}
	rest, query, hasQuery := strings.Cut(rest, "?")
	host, port, err := splitServer(rest, strings.HasSuffix(scheme, "s"))
	if err != nil {
		return nil, fmt.Errorf("%q is no server such as turn.example.com, 192.0.2.1:3478 or turns:turn.example.com:443?transport=tcp", text)
	}
	transport := "udp"
	if strings.HasSuffix(scheme, "s") {
		transport = "tcp"
	}
	if hasQuery {
		var known bool
		if transport, known = strings.CutPrefix(query, "transport="); !known || transport != "udp" && transport != "tcp" || !strings.HasPrefix(scheme, "turn") {
			return nil, fmt.Errorf("%q has something other than transport=udp or transport=tcp of a TURN server behind the ?", text)
		}
	}
	if scheme == "" {
		return []Service{{"stun", host, port, "udp"}, {"turn", host, port, "udp"}, {"turn", host, port, "tcp"}}, nil
	}
	return []Service{{scheme, host, port, transport}}, nil
}

// splitServer returns host and port, 3478 or inside TLS 5349 without one (RFC 8656 section 3).
func splitServer(text string, secure bool) (host string, port int, err error) {
	port = 3478
	if secure {
		port = 5349
	}
	host = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	if _, err := netip.ParseAddr(host); err == nil {
		return host, port, nil
	}
	host = text
	if h, p, err := net.SplitHostPort(text); err == nil {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return "", 0, fmt.Errorf("port %q", p)
		}
		host, port = h, int(n)
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return host, port, nil
	}
	j, err := jid.Parse(host) // a domain is what a JID's domain is
	if err != nil || j.Domainpart() != strings.ToLower(host) || strings.ContainsAny(host, "@/:[] ") {
		return "", 0, fmt.Errorf("host %q", host)
	}
	return strings.ToLower(host), port, nil
}
