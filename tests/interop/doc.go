// Package interop holds tests with XMPP clients that others wrote, as endpoints of the real server.
package interop
