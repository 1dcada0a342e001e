package interop

// aioxmpp is another Python library on asyncio, with OpenSSL by pyOpenSSL and libxml2.
var aioxmpp = &client{
	name:    "aioxmpp",
	origin:  "Debian package python3-aioxmpp",
	version: debian("python3-aioxmpp"),
	run:     program(python, "testdata/python/client_aioxmpp.py"),
	lacks: map[string]string{
		featureWebSocket: noWebSocket, "EXTERNAL": noMechanism,
		featureSASL2: noSASL2, featureBind2: noSASL2, featureFAST: noSASL2,
	},
}
