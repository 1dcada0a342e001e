// Package peers measures Signalbox beside ejabberd and Prosody: the same independent load on all three, one after the other, on one machine.
package peers

import "time"

// domain is the JID domain of every server under test.
const domain = "xmpp.signalbox.test"

// password is that of all accounts.
const password = "load-password"

// Scale says how much load there is.
type Scale struct {
	Rounds       int           // how often everything is measured, the servers taking turns
	Idle         []int         // numbers of idle sessions, ascending
	Settle       time.Duration // wait before memory is read
	Logins       int           // logins of one measurement
	LoginRounds  int           // measurements of them
	Pairs        int           // of senders and receivers
	Messages     int           // messages, or pings, of one measurement
	LargeOnes    int           // messages of 4 KiB of one measurement
	Spaces       int           // single spaces of one measurement
	SpacesPerSec int
	SpaceFrom    int           // sessions that send them
	Fleet        int           // sessions of the fan-out and of the storm
	FanRounds    int           // fan-outs
	Others       int           // further sessions, which get single pushes
	OthersFor    time.Duration // how long they get them without fan-outs, and beside them
	InFlight     int           // logins under way at the same time
	After        time.Duration // wait after the storm before memory is read
	Processes    int           // that the sessions are spread over
}

// Full is the load of docs/BENCHMARKS.md.
func Full() Scale {
	return Scale{
		Rounds: 1, Idle: []int{5000, 18000}, Settle: 5 * time.Second,
		Logins: 1000, LoginRounds: 3, Pairs: 50, Messages: 50000, LargeOnes: 5000, Spaces: 20000, SpacesPerSec: 2000, SpaceFrom: 1000,
		Fleet: 10000, FanRounds: 3, Others: 50, OthersFor: 15 * time.Second, InFlight: 256, After: 30 * time.Second, Processes: 2,
	}
}

// Smoke is just enough load to see that everything works.
func Smoke() Scale {
	return Scale{
		Rounds: 1, Idle: []int{20, 50}, Settle: 100 * time.Millisecond,
		Logins: 20, LoginRounds: 1, Pairs: 4, Messages: 200, LargeOnes: 40, Spaces: 200, SpacesPerSec: 1000, SpaceFrom: 10,
		Fleet: 50, FanRounds: 1, Others: 4, OthersFor: 200 * time.Millisecond, InFlight: 8, After: 100 * time.Millisecond, Processes: 2,
	}
}

// accounts returns how many accounts the load needs. The last one never has a session.
func (s Scale) accounts() int {
	n := max(s.Logins, s.Fleet+s.Others, s.SpaceFrom, 2*s.Pairs)
	for _, idle := range s.Idle {
		n = max(n, idle)
	}
	return n + 1
}
