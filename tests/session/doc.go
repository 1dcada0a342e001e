// Package session plays remote sessions from end to end: the real server, a real agent with all that it can do, and the viewer as technician.
package session
