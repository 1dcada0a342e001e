package diagnosis

import (
	"encoding/json"
	"testing"
)

// TestSessionsInTheTimeline: what happens in a remote session is told in one sentence, with who and why.
func TestSessionsInTheTimeline(t *testing.T) {
	const named, unnamed = `{"id":"ses_1","technician":{"id":"ann","name":"Ann Lee"}`, `{"id":"ses_1","technician":{"id":"ann"}`
	for _, tt := range []struct{ kind, data, want string }{
		{"session.requested", named + `}`, "Ann Lee asked for the remote session ses_1 with pc-1."},
		{"session.consent", named + `,"consent":"asking"}`, "The remote session ses_1 of Ann Lee asked the user at pc-1 (asking)."},
		{"session.accepted", unnamed + `}`, "pc-1 accepted the remote session ses_1 of ann."},
		{"session.active", unnamed + `,"path":"turn_udp"}`, "The remote session ses_1 of ann reached pc-1 (turn_udp)."},
		{"session.lost", unnamed + `}`, "The remote session ses_1 of ann lost a party, which may come back."},
		{"session.returned", unnamed + `}`, "The remote session ses_1 of ann goes on."},
		{"session.changed", unnamed + `}`, "The limits of the remote session ses_1 were changed."},
		{"session.ended", unnamed + `,"reason":"user_ended"}`, "The remote session ses_1 of ann ended (user_ended)."},
	} {
		if e := entryOf("pc-1", StoredEvent{Kind: tt.kind, Data: json.RawMessage(tt.data)}); e.Summary != tt.want {
			t.Errorf("%s: %q, want %q", tt.kind, e.Summary, tt.want)
		}
	}
}
