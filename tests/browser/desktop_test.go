package browser

import (
	"os"
	"sync/atomic"
	"testing"

	"signalbox/tests/logind"
	"signalbox/tests/screen"
)

// desktop is that of a user who is logged in at the endpoint: an X server without a screen, and a system bus on which logind tells of it.
type desktop struct {
	*screen.Screen
	bus  string
	user atomic.Value // user
}

// user is where the desktop's user is.
type user string

const (
	there  user = "in front of the screen"
	behind user = "behind a locked screen"
	away   user = "not logged in"
)

func newDesktop(t *testing.T) *desktop {
	t.Helper()
	d := &desktop{Screen: screen.Start(t)}
	d.user.Store(there)
	d.bus = logind.Start(t, d.logins)
	return d
}

// environment is what the agent needs to find it.
func (d *desktop) environment() []string { return []string{"DBUS_SYSTEM_BUS_ADDRESS=" + d.bus} }

// logins is what logind says of the user.
func (d *desktop) logins() []logind.Login {
	if d.user.Load() == away {
		return nil
	}
	return []logind.Login{{UID: uint32(os.Getuid()), Type: "x11", Seat: "seat0", Display: d.Display, Locked: d.user.Load() == behind}}
}
