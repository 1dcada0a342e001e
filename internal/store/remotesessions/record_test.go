package remotesessions

import (
	"testing"
	"time"

	"signalbox/internal/remote"
)

// TestNamesAreFixed: what is stored is read by later versions, so no name of a field changes.
func TestNamesAreFixed(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := remote.Session{
		ID: 1, Domain: "d", By: remote.Caller{Token: "tok_1", Name: "n"}, State: remote.Ended, Reason: "r", Detail: "x", Created: at, Accepted: at, Active: at, Ended: at, Expires: at,
		Consent: "allowed", Desktop: "active", Rung: "direct", Capabilities: []string{"files"}, BytesUp: 1, BytesDown: 2, Turn: 3,
	}
	s.Endpoint, s.Technician.ID, s.Technician.Name, s.Why, s.Kinds, s.Permissions, s.NotifyUser, s.Transport = "e", "t", "T", "w", []string{"files"}, []string{"files.read"}, true, "auto"
	s.Spec.Consent.Mode, s.MaxDuration, s.MaxIdle, s.MaxBytes = "none", time.Second, time.Minute, 9
	text, err := encode(&s)
	if err != nil {
		t.Fatal(err)
	}
	const none = `"0000000000000000000000000000000000000000000000000000000000000000"`
	const now = `"2026-01-02T03:04:05Z"`
	want := `{"technician_name":"T","why":"w","kinds":["files"],"permissions":["files.read"],"mode":{"mode":"none","timeout":0},"notify_user":true,"transport":"auto",` +
		`"max_duration":1000000000,"max_idle":60000000000,"max_bytes":9,"by":{"token":"tok_1","name":"n"},"reason":"r","detail":"x","created":` + now + `,"accepted":` + now +
		`,"active":` + now + `,"ended":` + now + `,"expires":` + now + `,"consent":"allowed","desktop":"active","rung":"direct","capabilities":["files"],"bytes_up":1,"bytes_down":2,"turn":3,` +
		`"secrets":{"token":` + none + `,"token_expires":"0001-01-01T00:00:00Z","token_used":false,"return":` + none + `,"before":` + none + `}}`
	if text != want {
		t.Errorf("stored is\n%s\nwant\n%s", text, want)
	}
}
