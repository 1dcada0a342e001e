package certs

import (
	"crypto/x509"
	"net/netip"
	"strings"
)

// foldName brings a DNS name into the form in which names are compared: lower case, without the trailing dot.
func foldName(name string) string {
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// match says how well a name in a certificate covers a host name. Both are folded.
type match int

const (
	noMatch match = iota
	wildcardMatch
	exactMatch
)

// matchName compares by RFC 6125 section 6.4.3: a wildcard stands for exactly one whole leftmost label.
func matchName(pattern, host string) match {
	if pattern == host && !strings.HasPrefix(host, "*") {
		return exactMatch
	}
	parent, isWildcard := strings.CutPrefix(pattern, "*.")
	if isWildcard && parent != "" && parentName(host) == parent {
		return wildcardMatch
	}
	return noMatch
}

// bestMatch returns how well any of a certificate's names covers host.
func bestMatch(names []string, host string) match {
	best := noMatch
	for _, n := range names {
		best = max(best, matchName(n, host))
	}
	return best
}

// certNames returns the certificate's DNS names, folded, and its addresses. The Common Name counts for nothing: no
// endpoint of today looks at it.
func certNames(cert *x509.Certificate) []string {
	names := make([]string, 0, len(cert.DNSNames)+len(cert.IPAddresses))
	for _, n := range cert.DNSNames {
		names = append(names, foldName(n))
	}
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// isAddress looks closer only at what ends like an address, which no host name does: a failure to parse costs memory.
func isAddress(name string) bool {
	if last := name[len(name)-1]; last != ']' && (last < '0' || last > '9') && !strings.Contains(name, ":") {
		return false
	}
	_, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil
}

// parentName returns the name without its leftmost label; empty if nothing is left or the label is none of a host.
func parentName(host string) string {
	if label, parent, _ := strings.Cut(host, "."); label != "" && label != "*" {
		return parent
	}
	return ""
}
