package audit

import "strings"

// Acts; parts have others of their own. Those that end in "refused" are caused by strangers, too: Log writes only so many of them in a minute, and how many more there were.
const (
	SessionRequested = "session.requested" // who, whom, why, with which rights
	SessionAttached  = "session.attached"  // a technician took its side
	SessionConsent   = "session.consent"   // how the user was asked, and the answer
	SessionAccepted  = "session.accepted"  // by the endpoint
	SessionActive    = "session.active"    // the parties reach each other
	SessionPath      = "session.path"      // by another way than before
	SessionChannel   = "session.channel"   // a channel was opened: terminal, files, ...
	SessionLost      = "session.lost"      // a party is away, and may come back
	SessionReturned  = "session.returned"  // it has
	SessionChanged   = "session.changed"   // its limits
	SessionRenewed   = "session.renewed"   // a new token and new credentials were handed out
	SessionEnded     = "session.ended"     // why, how long, how much
	SessionRefused   = "session.refused"   // a ticket, a token, an endpoint or a technician without the right; a message that breaks the rules

	TokenCreated = "token.created"
	TokenRevoked = "token.revoked"

	Trimmed = "audit.trimmed" // old entries were deleted, see Trim
	Damaged = "audit.damaged" // entries were cut off or changed while the server ran, see Damage
)

// strangers reports whether an act can be caused by somebody who has no right to anything.
func strangers(action string) bool { return strings.HasSuffix(action, "refused") }
