package relay

import "github.com/coder/websocket"

// Reason says why a channel ended, or why a ticket opened none.
type Reason string

// The reasons. They are the texts of the WebSocket's end, too.
const (
	ReasonDone         Reason = "done"          // a side has closed it
	ReasonLost         Reason = "lost"          // the connection of a side broke, or gave no sign of life
	ReasonStalled      Reason = "stalled"       // a side took nothing for stall_timeout
	ReasonTooLarge     Reason = "too_large"     // a message above 64 KiB
	ReasonQuota        Reason = "byte_limit"    // the session has moved all that it may
	ReasonSessionEnded Reason = "session_ended" // its remote session did
	ReasonNobodyCame   Reason = "nobody_came"   // the other side did not come while the tickets held
	ReasonStopped      Reason = "server_stopped"

	ReasonUnknownTicket Reason = "unknown_ticket" // never given out, used, or over: nobody is told which
	ReasonNoWebSocket   Reason = "no_websocket"
)

// Reasons returns why channels end.
func Reasons() []Reason {
	return []Reason{ReasonDone, ReasonLost, ReasonStalled, ReasonTooLarge, ReasonQuota, ReasonSessionEnded, ReasonNobodyCame, ReasonStopped}
}

// code is the WebSocket's status (RFC 6455 section 7.4) for a reason.
func (r Reason) code() websocket.StatusCode {
	switch r {
	case ReasonDone:
		return websocket.StatusNormalClosure
	case ReasonTooLarge:
		return websocket.StatusMessageTooBig
	case ReasonStopped:
		return websocket.StatusServiceRestart
	}
	return websocket.StatusPolicyViolation
}
