// Package turnprocess runs the real server with a TURN process that is a stand-in: it shows what the server does with such a process, which may end at any time.
package turnprocess
