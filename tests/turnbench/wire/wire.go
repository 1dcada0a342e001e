// Package wire is what the runner and the load process say to each other: one JSON object per line, an order down and a report up.
package wire

import "time"

// Do names what the load process is asked for.
type Do string

// The orders.
const (
	Open     Do = "open"     // opens Count clients, each with an allocation, and all that packets of the Mode need
	Flow     Do = "flow"     // moves Count packets through what is open
	Allocate Do = "allocate" // makes Count allocations, each on a socket of its own, and keeps them
	Latency  Do = "latency"  // sends Count packets to a peer that sends them back, in turns directly and through the server
)

// Mode is how packets are wrapped between client and server.
type Mode string

// The modes.
const (
	Channel    Mode = "channel"    // ChannelData, to and from one peer for all clients
	Indication Mode = "indication" // Send and Data indications, to and from that peer
	Pair       Mode = "pair"       // ChannelData between clients that follow each other, the relayed address of one being the other's peer
)

// Way is the direction of a flow.
type Way string

// The ways.
const (
	Up     Way = "up"     // client to peer
	Down   Way = "down"   // peer to client
	Across Way = "across" // client to client, of each Pair from the first to the second
)

// Transport is what clients reach the server by: "udp", or "tls".
type Transport string

// The transports.
const (
	UDP Transport = "udp"
	TLS Transport = "tls"
)

// Credential is a user name and its password.
type Credential struct{ Username, Password string }

// Order is one order.
type Order struct {
	Do Do

	Transport   Transport
	Server      string       // address of the server for the transport
	Credentials []Credential // clients take them in turn

	Count    int // clients, packets or allocations
	Mode     Mode
	Size     int // bytes of a packet's payload
	Way      Way
	Burst    int // packets of one client, or to one client, in a row: one system call on UDP, one write on TLS
	Rate     int // packets per second of all clients; 0: as fast as Window lets them
	Window   int // packets under way at the same time, where there is no Rate
	InFlight int // allocations being made at the same time
}

// Report is what came of an order.
type Report struct {
	Error string // why it failed as a whole; empty: it did not

	Done  int    // packets that arrived, allocations that were made
	Lost  int    // packets that did not, allocations that failed
	Wrong int    // packets that arrived with other bytes
	Why   string // why one allocation failed

	Direct, Relayed time.Duration // half of the round trips took less

	Begun, Ended time.Time // of the work itself
}
