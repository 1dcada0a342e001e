// Package browser holds tests of remote sessions from end to end: a technician in a real browser, the real server with its TURN process, and the endpoint's real program.
package browser
