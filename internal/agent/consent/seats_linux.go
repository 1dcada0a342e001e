package consent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"

	"signalbox/internal/agent/consent/dialog"
)

// What is asked of systemd-logind: org.freedesktop.login1(5).
const (
	logind      = "org.freedesktop.login1"
	logindPath  = "/org/freedesktop/login1"
	manager     = logind + ".Manager"
	loginOf     = logind + ".Session"
	properties  = "org.freedesktop.DBus.Properties.GetAll"
	maxSessions = 256
)

// login is a session of logind.
type login struct {
	ID      string
	Path    dbus.ObjectPath
	UID     uint32
	Kind    string // "x11", "wayland", "tty", ...
	Display string
	Seat    string // empty: none of this computer's
	Active  bool
	Locked  bool
	Remote  bool // as logind has it: ssh, mostly
	Closing bool // the user has left, and programs go on
}

// screen reports whether a window can be shown there.
func (l login) screen() bool { return l.Kind == "x11" || l.Kind == "wayland" || l.Kind == "mir" }

// console reports whether it is this computer's own text console.
func (l login) console() bool { return l.Kind == "tty" && l.Seat != "" && !l.Remote }

// systemSeats asks logind.
func systemSeats(program string) seats {
	return func(ctx context.Context) ([]seat, error) {
		bus, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
		if err != nil {
			return nil, fmt.Errorf("reach the system bus: %w", err)
		}
		defer bus.Close()
		all, err := logins(ctx, bus)
		if err != nil {
			return nil, err
		}
		var found []seat
		for _, front := range []bool{true, false} {
			for _, l := range all {
				if l.screen() && l.Active == front {
					found = append(found, l.seat(program))
				}
			}
		}
		return found, nil
	}
}

// systemUsers asks logind.
func systemUsers(ctx context.Context) (users []uint32, err error) {
	bus, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("reach the system bus: %w", err)
	}
	defer bus.Close()
	all, err := logins(ctx, bus)
	for _, l := range all {
		if l.screen() || l.console() {
			users = append(users, l.UID)
		}
	}
	return users, err
}

// logins returns those of users who are there.
func logins(ctx context.Context, bus *dbus.Conn) ([]login, error) {
	var listed [][]any
	if err := bus.Object(logind, logindPath).CallWithContext(ctx, manager+".ListSessions", 0).Store(&listed); err != nil {
		return nil, fmt.Errorf("ask logind who is logged in: %w", err)
	}
	slices.SortStableFunc(listed, func(a, b []any) int { return strings.Compare(seatOf(b), seatOf(a)) }) // logins by ssh, of which anybody makes many, push out nobody
	var all []login
	for _, s := range listed[:min(len(listed), maxSessions)] {
		path, ok := s[len(s)-1].(dbus.ObjectPath)
		if !ok {
			return nil, errors.New("logind answers in a form that is not known")
		}
		l, err := describe(ctx, bus, path)
		if err != nil {
			continue // it has ended meanwhile
		}
		if !l.Closing {
			all = append(all, l)
		}
	}
	return all, nil
}

// seatOf returns the seat of a session in a list: of (id, uid, user, seat, path).
func seatOf(listed []any) string {
	if len(listed) < 4 {
		return ""
	}
	seat, _ := listed[3].(string)
	return seat
}

func describe(ctx context.Context, bus *dbus.Conn, path dbus.ObjectPath) (login, error) {
	var all map[string]dbus.Variant
	if err := bus.Object(logind, path).CallWithContext(ctx, properties, 0, loginOf).Store(&all); err != nil {
		return login{}, err
	}
	l := login{Path: path}
	take := func(name string, into any) {
		if v, ok := all[name]; ok {
			_ = v.Store(into) // one of another type stays as if it were not there
		}
	}
	take("Id", &l.ID)
	take("Type", &l.Kind)
	take("Display", &l.Display)
	take("Active", &l.Active)
	take("LockedHint", &l.Locked)
	take("Remote", &l.Remote)
	if state, _ := all["State"].Value().(string); state == "closing" {
		l.Closing = true
	}
	if seat, ok := all["Seat"].Value().([]any); ok && len(seat) > 0 {
		l.Seat, _ = seat[0].(string)
	}
	if user, ok := all["User"].Value().([]any); ok && len(user) > 0 {
		l.UID, _ = user[0].(uint32)
	}
	if class, _ := all["Class"].Value().(string); class != "" && class != "user" {
		l.Kind = class // the greeter's screen asks nobody
	}
	return l, nil
}

func (l login) seat(program string) seat {
	return seat{
		user: fmt.Sprint("uid ", l.UID), locked: l.Locked,
		show: func(ctx context.Context, t dialog.Task) (int, error) { return l.show(ctx, program, t) },
	}
}

// show runs the program that shows a window, as the user, until it ends.
func (l login) show(ctx context.Context, program string, t dialog.Task) (int, error) {
	task, err := json.Marshal(t)
	if err != nil {
		return 0, err
	}
	environment, err := l.environment()
	if err != nil {
		return 0, err
	}
	in, feed, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer feed.Close()
	cmd := exec.Command(program, Argument)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Dir = environment, in, &limited{&out, 64}, &limited{&errs, 1024}, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() == 0 && l.UID != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: l.UID, Gid: gidOf(l.UID)}
	}
	if err := errors.Join(cmd.Start(), in.Close()); err != nil {
		return 0, fmt.Errorf("show a window: %w", err)
	}
	unwatch := context.AfterFunc(ctx, func() { _ = feed.Close() }) // it ends by itself then
	defer unwatch()
	last := time.AfterFunc(time.Duration(t.Seconds)*time.Second+lookWithin, func() {
		if t.Seconds > 0 {
			_ = cmd.Process.Kill() // it hangs
		}
	})
	defer last.Stop()
	_, errWrite := feed.Write(append(task, '\n'))
	if err := cmd.Wait(); err != nil {
		return 0, fmt.Errorf("show a window: %w: %s", errors.Join(err, errWrite), strings.TrimSpace(errs.String()))
	}
	answer, err := strconv.Atoi(strings.TrimSpace(out.String()))
	if err != nil {
		return 0, fmt.Errorf("the window's program answered %q", out.String())
	}
	return answer, nil
}

// limited takes so many bytes and drops the rest.
type limited struct {
	*bytes.Buffer
	left int
}

// Write implements io.Writer.
func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	l.Buffer.Write(p[:n])
	return len(p), nil
}

// environment is what a program needs to reach the user's display: from one of the user's own processes, since logind knows less.
func (l login) environment() ([]string, error) {
	display := l.Display
	var authority, runtime string
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if !ownedBy(f, l.UID) {
			continue
		}
		env := readEnvironment(f)
		if at := env["DISPLAY"]; at == "" || display != "" && at != display || l.ID != "" && env["XDG_SESSION_ID"] != "" && env["XDG_SESSION_ID"] != l.ID {
			continue
		}
		display, authority, runtime = env["DISPLAY"], env["XAUTHORITY"], env["XDG_RUNTIME_DIR"]
		if authority != "" {
			break
		}
	}
	if display == "" {
		return nil, errors.New("no X11 display was found among the user's programs")
	}
	all := []string{"DISPLAY=" + display}
	if authority != "" {
		all = append(all, "XAUTHORITY="+authority)
	}
	if runtime != "" {
		all = append(all, "XDG_RUNTIME_DIR="+runtime)
	}
	return all, nil
}

func ownedBy(file string, uid uint32) bool {
	info, err := os.Stat(file)
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Uid == uid
}

// maxEnvironment bounds what is read of one process, in bytes.
const maxEnvironment = 128 << 10

func readEnvironment(file string) map[string]string {
	raw, err := os.ReadFile(file)
	if err != nil || len(raw) > maxEnvironment {
		return nil // it has ended, or is not ours to read
	}
	env := map[string]string{}
	for _, entry := range bytes.Split(raw, []byte{0}) {
		if name, value, ok := strings.Cut(string(entry), "="); ok {
			env[name] = value
		}
	}
	return env
}
