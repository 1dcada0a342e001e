// Package turn attacks the TURN server as strangers, clients and peers do, with a client that shares no code with it. Each row of the table of attacks is a test.
package turn
