package interop

import (
	"encoding/json"
	"os"
	"os/exec"
)

// Clients in JavaScript, run by Node.js: they verify certificates against NODE_EXTRA_CA_CERTS beside the CAs that Node.js brings along.
var (
	xmppjs = &client{
		name: "xmpp.js", origin: "npm package `@xmpp/client`", version: npm("@xmpp/client"), run: program("node", "testdata/npm/client_xmppjs.js"),
		lacks: map[string]string{
			"SCRAM-SHA-256": noMechanism, "SCRAM-SHA-256-PLUS": noMechanism, "SCRAM-SHA-1-PLUS": noMechanism, "EXTERNAL": noMechanism,
		},
	}
	strophejs = &client{
		name: "strophe.js", origin: "npm package `strophe.js`", version: npm("strophe.js"), run: program("node", "testdata/npm/client_strophe.js"),
		lacks: map[string]string{
			featureDirect: noTCP, featureStartTLS: noTCP, "SCRAM-SHA-256-PLUS": noMechanism, "SCRAM-SHA-1-PLUS": noMechanism, "EXTERNAL": noClientCertificate,
			featureSASL2: noSASL2, featureBind2: noSASL2, featureFAST: noSASL2,
		},
	}
	stanzajs = &client{
		name: "stanza", origin: "npm package `stanza`", version: npm("stanza"), run: program("node", "testdata/npm/client_stanza.js"),
		lacks: map[string]string{
			featureDirect: noTCP, featureStartTLS: noTCP, "SCRAM-SHA-256-PLUS": noBinding, "SCRAM-SHA-1-PLUS": noBinding, "EXTERNAL": noClientCertificate,
			featureSASL2: noSASL2, featureBind2: noSASL2, featureFAST: noSASL2,
		},
	}
)

const (
	noBinding           = "it takes the mechanism and has nothing to bind the channel to; the suite turns it off"
	noClientCertificate = "client certificates are for XMPP over TCP alone: browsers would ask their users for one"
)

// npm returns the version of a package that make setup has installed, empty without it.
func npm(name string) func() string {
	return func() string {
		text, err := os.ReadFile("testdata/npm/node_modules/" + name + "/package.json")
		if err != nil {
			return ""
		}
		if _, err := exec.LookPath("node"); err != nil {
			return ""
		}
		var about struct{ Version string }
		if json.Unmarshal(text, &about) != nil {
			return ""
		}
		return about.Version
	}
}
