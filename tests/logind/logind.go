// Package logind stands in for systemd-logind, on a system bus of its own.
package logind

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

// Login is a session of logind: org.freedesktop.login1(5).
type Login struct {
	UID     uint32
	Type    string // "x11", "tty", ...
	Class   string // empty: "user"
	State   string // empty: "active"
	Seat    string // empty: none
	Display string
	Remote  bool
	Locked  bool
}

// Start starts a bus on which logind says who is logged in, until the test ends, and returns its address, for DBUS_SYSTEM_BUS_ADDRESS. who is called for each question, concurrently.
func Start(t *testing.T, who func() []Login) (address string) {
	t.Helper()
	address = startBus(t)
	bus, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bus.Close() })
	if err := errors.Join(bus.Export(manager(who), path, name+".Manager"), bus.ExportSubtree(manager(who), sessions, "org.freedesktop.DBus.Properties")); err != nil {
		t.Fatal(err)
	}
	if reply, err := bus.RequestName(name, 0); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("the name of logind: %v, %v", reply, err)
	}
	return address
}

const config = `<busconfig>
<listen>unix:dir=DIR</listen>
<auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>
`

// startBus starts a bus and returns its address.
func startBus(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		t.Skip("LEFT OUT: who is logged in: dbus-daemon is not installed (Debian package dbus-daemon)")
	}
	dir, err := os.MkdirTemp("", "bus-") // paths of sockets are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(file, []byte(strings.Replace(config, "DIR", dir, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("dbus-daemon", "--config-file="+file, "--nofork", "--nopidfile", "--print-address=1")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("dbus-daemon does not say where it is: %v", err)
	}
	return strings.TrimSpace(line)
}

// Names of logind.
const (
	name     = "org.freedesktop.login1"
	path     = "/org/freedesktop/login1"
	sessions = path + "/session"
)

// manager is org.freedesktop.login1.Manager and all of its sessions.
type manager func() []Login

type listed struct {
	ID   string
	UID  uint32
	User string
	Seat string
	Path dbus.ObjectPath
}

// ListSessions is called over the bus.
func (m manager) ListSessions() ([]listed, *dbus.Error) {
	all := []listed{}
	for i, l := range m() {
		id := strconv.Itoa(i)
		all = append(all, listed{id, l.UID, "user", l.Seat, dbus.ObjectPath(sessions + "/" + id)})
	}
	return all, nil
}

// GetAll is called over the bus, for the properties of a session.
func (m manager) GetAll(call dbus.Message, _ string) (map[string]dbus.Variant, *dbus.Error) {
	at, _ := call.Headers[dbus.FieldPath].Value().(dbus.ObjectPath)
	id := strings.TrimPrefix(string(at), sessions+"/")
	all := m()
	i, err := strconv.Atoi(id)
	if err != nil || i < 0 || i >= len(all) {
		return nil, dbus.MakeFailedError(errors.New("there is no session " + id))
	}
	return all[i].properties(id), nil
}

func (l Login) properties(id string) map[string]dbus.Variant {
	type numbered struct {
		UID  uint32
		Path dbus.ObjectPath
	}
	type named struct {
		Name string
		Path dbus.ObjectPath
	}
	or := func(given, otherwise string) dbus.Variant {
		if given == "" {
			given = otherwise
		}
		return dbus.MakeVariant(given)
	}
	state := or(l.State, "active")
	return map[string]dbus.Variant{
		"Id": dbus.MakeVariant(id), "Type": dbus.MakeVariant(l.Type), "Class": or(l.Class, "user"), "State": state, "Display": dbus.MakeVariant(l.Display),
		"Active": dbus.MakeVariant(state.Value() == "active"), "Remote": dbus.MakeVariant(l.Remote), "LockedHint": dbus.MakeVariant(l.Locked),
		"User": dbus.MakeVariant(numbered{l.UID, path + "/user/_1"}), "Seat": dbus.MakeVariant(named{l.Seat, path + "/seat/auto"}),
	}
}
