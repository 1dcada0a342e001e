// Package xml shows with parsers that others wrote (expat, two of Python, a browser's) that what the server hands on is what was sent, and that nothing malformed
// gets through to anybody; and that a browser can speak XMPP.
package xml
