// Package wire is what the runner and a load process say to each other: one JSON object per line, an order down and a report up.
package wire

import "time"

// Do names what a load process is asked for.
type Do string

// The orders.
const (
	Login    Do = "login"    // opens the sessions From..To-1
	Drop     Do = "drop"     // cuts all connections without a word
	Count    Do = "count"    // says how many connections are open
	Messages Do = "messages" // pairs of sessions exchange messages in a closed loop
	Pings    Do = "pings"    // sessions ping the server in a closed loop
	Spaces   Do = "spaces"   // sessions send single spaces at a rate
	Expect   Do = "expect"   // from now on one message for each of the sessions From..To-1 counts
	Fan      Do = "fan"      // session From sends one message to each of the sessions 0..To-1, whichever process holds them
	Push     Do = "push"     // posts one push for each of the sessions From..To-1 to the HTTP API
	Spread   Do = "spread"   // posts one push for all of the sessions From..To-1 to the HTTP API
	Await    Do = "await"    // waits until all that Expect named have come
	Delays   Do = "delays"   // says how long what came to other sessions was on its way since the last time, see AtField
)

// AtField begins the member of a push's payload that says when it was posted, in nanoseconds since 1970.
const AtField = `"at":`

// Order is one order.
type Order struct {
	Do Do

	From, To   int  // sessions
	Management bool // XEP-0198 with resumption
	Presence   bool // initial presence
	Classic    bool // X25519 alone, without the hybrid key exchange of TLS
	InFlight   int  // logins, or HTTP requests, under way at the same time

	Count  int // operations in all
	Window int // operations under way per sender
	Size   int // bytes of a message's body
	Rate   int // spaces per second, over all sessions

	API, Token string // base address of the HTTP API, and its token
	Receipts   bool   // Spread waits for the receipts of all as well
}

// Report is what came of an order.
type Report struct {
	Error string // why it failed as a whole; empty: it did not

	Done   int // operations that came to their end
	Failed int // operations that did not, or not as they must: refused, twice, out of order
	Again  int // logins that were tried again
	Why    string

	Begun, Ended time.Time // of the work itself

	Delays []time.Duration
}
