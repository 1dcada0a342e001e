package interop

import (
	"signalbox/internal/config"
)

// configure is what a server needs for the whole table; clientCA is the file of the CA whose clients may log in by EXTERNAL.
func configure(c *config.Config, clientCA string) {
	c.XMPP.Routing = "open"
	c.XMPP.ClientCA = clientCA
}

// fails are the features that a client has and fails at, by client, each with its reason. Unlike those that a client lacks they are tried: one that works must
// leave this list.
var fails = map[string]map[string]string{
	"slixmpp": {
		"SCRAM-SHA-256-PLUS": noExporter,
		"SCRAM-SHA-1-PLUS":   noExporter,
	},
	"aioxmpp": {
		"SCRAM-SHA-256-PLUS": noDigest,
		"SCRAM-SHA-1-PLUS":   noDigest,
	},
}

const (
	noExporter = "it binds channels by tls-unique alone, which TLS 1.3 does not have (RFC 9266)"
	noDigest   = "of certificates that are signed by ECDSA, as the suite's is, it cannot compute tls-server-end-point"
)

// expected says whether a cell must be ok, and otherwise why not.
func expected(c *client, f feature) (ok bool, why string) {
	for _, reasons := range []map[string]string{c.lacks, fails[c.name]} {
		if why, listed := reasons[f.name]; listed {
			return false, why
		}
	}
	return true, ""
}
