package interop

// sendxmpp is a command on the Go library github.com/mattn/go-xmpp: it logs in, sends a message and ends.
var sendxmpp = &client{
	name:    "go-sendxmpp",
	origin:  "Debian package go-sendxmpp",
	version: debian("go-sendxmpp"),
	run:     program(python, "testdata/python/client_sendxmpp.py"),
	lacks: map[string]string{
		featureWebSocket: noWebSocket,
		"SCRAM-SHA-1":    noMechanism, "SCRAM-SHA-1-PLUS": noMechanism, "SCRAM-SHA-256": noMechanism, "SCRAM-SHA-256-PLUS": noMechanism, "EXTERNAL": noMechanism,
		featureSASL2: noSASL2, featureBind2: noSASL2, featureFAST: noSASL2,
		featurePing: sendsAlone, featureReceipt: sendsAlone, featureAnswer: sendsAlone, featurePresence: sendsAlone, featureSM: sendsAlone, featureResume: sendsAlone,
	},
}

const sendsAlone = "it sends a message and ends"
