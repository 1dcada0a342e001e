package tally

// Reason is why a packet was not relayed.
type Reason uint8

// Reasons for which packets are dropped. Those of clients come first, those of peers behind them, then what may stop both.
const (
	NoAllocation  Reason = iota // the client has no allocation
	NoChannel                   // ChannelData for a number that is not bound, or no longer
	NoPermission                // for or from a peer without a permission, or no longer
	PeerRefused                 // the policy forbids the peer
	PeerGone                    // the peer is a relayed address that is of no allocation any more
	PeerFamily                  // the peer is not of the allocation's address family
	Malformed                   // not what RFC 8656 says of ChannelData and Send indications
	TooLong                     // the datagram does not fit, and is not truncated
	RateLimited                 // the session, or all together, have used up their bytes of this second
	SlowClient                  // the client's stream takes less than its peers send
	SendFailed                  // the system did not take the datagram
	SessionClosed               // the session or the allocation has ended
	reasons                     // how many there are
)

// Reasons is the number of reasons: each is less.
const Reasons = int(reasons)

// String returns the name of the reason: metrics, audit records and the API use it.
func (r Reason) String() string {
	names := [...]string{
		NoAllocation: "no_allocation", NoChannel: "no_channel", NoPermission: "no_permission", PeerRefused: "peer_refused", PeerGone: "peer_gone", PeerFamily: "peer_family",
		Malformed: "malformed", TooLong: "too_long", RateLimited: "rate_limited", SlowClient: "slow_client", SendFailed: "send_failed", SessionClosed: "session_closed",
	}
	if int(r) >= len(names) {
		return "unknown"
	}
	return names[r]
}
