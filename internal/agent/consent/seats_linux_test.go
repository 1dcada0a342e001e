package consent

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	standin "signalbox/tests/logind"
)

// Who is at the computer: whoever would be shown a window, and users of its own text console.
func TestPresent(t *testing.T) {
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", standin.Start(t, func() []standin.Login {
		remote := []standin.Login{{UID: 3, Type: "wayland", Remote: true}} // a remote desktop: the window is shown there
		ssh := slices.Repeat([]standin.Login{{UID: 1, Type: "tty", Remote: true}}, maxSessions)
		return slices.Concat(remote, ssh, []standin.Login{
			{UID: 2, Type: "x11", Seat: "seat0", Display: ":9"},                 //
			{UID: 4, Type: "x11", Seat: "seat0", Class: "greeter"},              // the screen where users log in
			{UID: 5, Type: "tty", Seat: "seat0"},                                //
			{UID: 6, Type: "x11", Seat: "seat0", State: "online", Locked: true}, // another is in front
			{UID: 7, Type: "x11", Seat: "seat0", State: "closing"},              // has left
			{UID: 8, Type: "unspecified"},                                       // cron and the like
			{UID: 9, Type: "tty"},                                               // su without a seat
		})
	}))
	u := New("/bin/true", zap.NewNop())
	got, err := u.Present(t.Context())
	if diff := cmp.Diff([]uint32{2, 5, 6, 3}, got); err != nil || diff != "" {
		t.Errorf("Present: %v (-want +got):\n%s", err, diff)
	}
	shown, err := u.find(t.Context())
	var users []string
	for _, s := range shown {
		users = append(users, s.user)
	}
	if diff := cmp.Diff([]string{"uid 2", "uid 3", "uid 6"}, users); err != nil || diff != "" {
		t.Errorf("seats: %v (-want +got):\n%s", err, diff)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := u.Present(over); err == nil {
		t.Errorf("Present without time = %v", got)
	}
}
