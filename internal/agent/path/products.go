package path

import (
	"crypto/x509"
	"strings"
)

// products are words in the names of authorities that inspect TLS, and whose they are. A name proves nothing, since anybody may choose it: it only says where to look.
var products = []struct{ word, product string }{
	{"zscaler", "Zscaler"},
	{"netskope", "Netskope"},
	{"fortinet", "Fortinet FortiGate"},
	{"fortigate", "Fortinet FortiGate"},
	{"palo alto", "Palo Alto Networks"},
	{"blue coat", "Blue Coat ProxySG"},
	{"bluecoat", "Blue Coat ProxySG"},
	{"sophos", "Sophos"},
	{"cisco umbrella", "Cisco Umbrella"},
	{"check point", "Check Point"},
	{"mcafee", "McAfee Web Gateway"},
	{"skyhigh", "Skyhigh Secure Web Gateway"},
	{"forcepoint", "Forcepoint"},
	{"websense", "Forcepoint"},
	{"watchguard", "WatchGuard"},
	{"sonicwall", "SonicWall"},
	{"barracuda", "Barracuda"},
	{"cato networks", "Cato Networks"},
	{"iboss", "iboss"},
	{"untangle", "Untangle"},
	{"kaspersky", "Kaspersky"},
	{"eset ssl filter", "ESET"},
	{"avast", "Avast"},
	{"bitdefender", "Bitdefender"},
	{"squid", "Squid"},
	{"mitmproxy", "mitmproxy"},
	{"portswigger", "Burp Suite"},
	{"do_not_trust_fiddler", "Fiddler"},
	{"charles proxy", "Charles"},
}

// productOf returns the product whose name an issuer among these certificates has, or nothing.
func productOf(shown []*x509.Certificate) string {
	for _, c := range shown {
		name := strings.ToLower(c.Issuer.String())
		for _, p := range products {
			if strings.Contains(name, p.word) {
				return p.product
			}
		}
	}
	return ""
}
