// Package interop holds tests with XMPP clients that others wrote, against the real server: as endpoints that answer pushes, and, in TestClients, with everything that a
// standard client does.
package interop
