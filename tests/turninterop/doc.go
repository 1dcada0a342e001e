// Package turninterop holds tests with TURN clients that others wrote, against the real server: over UDP and TCP on the TURN port, and over TLS on the shared port.
package turninterop
