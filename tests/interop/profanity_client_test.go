package interop

import "os/exec"

// profanity is a terminal client on libstrophe, driven in tmux.
var profanity = &client{
	name:    "profanity",
	origin:  "Debian package profanity",
	version: profanityVersion,
	run:     program(python, "testdata/python/client_profanity.py"),
	lacks: map[string]string{
		featureWebSocket: noWebSocket,
		"PLAIN":          strongestAlone, "SCRAM-SHA-1": strongestAlone, "SCRAM-SHA-1-PLUS": noMechanism, "SCRAM-SHA-256-PLUS": noMechanism, "EXTERNAL": noMechanism,
		featureSASL2: noSASL2, featureBind2: noSASL2, featureFAST: noSASL2,
	},
}

func profanityVersion() string {
	if _, err := exec.LookPath("tmux"); err != nil {
		return ""
	}
	return debian("profanity")()
}
