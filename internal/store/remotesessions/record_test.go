package remotesessions

import (
	"database/sql/driver"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/remote"
	"signalbox/internal/turnsession"
)

// TestNamesAreFixed: what is stored is read by later versions, so no name of a field changes, and it is read as it was.
func TestNamesAreFixed(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := remote.Session{
		ID: 1, Domain: "d", By: remote.Caller{Token: "tok_1", Name: "n"}, State: remote.Ended, Reason: "r", Detail: "x", Created: at, Accepted: at, Active: at, Ended: at, Expires: at,
		Consent: "allowed", Desktop: "active", Rung: "direct", Capabilities: []string{"files"}, BytesUp: 1, BytesDown: 2, Turn: 3,
		TurnBefore: []remote.Place{{Turn: 1, Counters: &turnsession.Counters{BytesUp: 7, Drops: map[string]uint64{"rate": 2}}}, {Turn: 2}},
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
		`"turn_before":[{"turn":1,"counters":{"allocations":0,"open_allocations":0,"packets_up":0,"packets_down":0,"bytes_up":7,"bytes_down":0,"drops":{"rate":2}}},{"turn":2}],` +
		`"secrets":{"token":` + none + `,"token_expires":"0001-01-01T00:00:00Z","token_used":false,"return":` + none + `,"before":` + none + `}}`
	if text != want {
		t.Errorf("stored is\n%s\nwant\n%s", text, want)
	}
	read, err := sessionOf([]driver.Value{int64(s.ID), s.Domain, s.Endpoint, s.Technician.ID, string(s.State), text})
	if diff := cmp.Diff(s, read); err != nil || diff != "" {
		t.Errorf("read is (-want +got), %v:\n%s", err, diff)
	}
}
