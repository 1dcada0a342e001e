package interop

// slixmpp is the Python library on asyncio, with expat below.
var slixmpp = &client{
	name:    "slixmpp",
	origin:  "Debian package python3-slixmpp",
	version: debian("python3-slixmpp"),
	run:     program(python, "testdata/python/client_slixmpp.py"),
	lacks: map[string]string{
		featureWebSocket: noWebSocket,
		featureSASL2:     noSASL2, featureBind2: noSASL2, featureFAST: noSASL2,
	},
}
