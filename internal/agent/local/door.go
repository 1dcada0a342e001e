package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"go.uber.org/zap"

	"signalbox/internal/telemetry"
)

// Bounds of what may be open at once.
const (
	perUser     = 4  // connections of one user
	ofStrangers = 64 // connections of all users but root and the agent's own
)

const (
	root       = 0
	presentFor = time.Second // how long it is believed who is at this computer
	sayWithin  = time.Second
)

// Why somebody may not come in, as the answer says it.
var (
	errStranger = errors.New("only root, the agent's own user and users who are logged in at this computer may see and end its remote sessions: " +
		"log in at its screen or its console (a login by ssh does not count), or run this as root")
	errNotKnown = errors.New("the agent cannot find out who is logged in at this computer, as its log says why: run this as root or as the agent's user")
	errTooMany  = errors.New("too many connections to the agent are open: close them, or try again in a few seconds")
)

// door is a listener of whose connections it is known who they are. Whoever may not come in is told so without a byte of theirs being read, so that strangers hold nothing, and root always finds room.
type door struct {
	net.Listener

	// Set at construction.
	life    context.Context
	own     uint32
	present func(context.Context) ([]uint32, error)
	log     *zap.Logger

	mu        sync.Mutex
	open      map[uint32]int // connections by user
	strangers int

	looking sync.Mutex // over the look itself: whoever asks meanwhile gets its result
	looked  time.Time  // zero: never
	users   []uint32
	err     error // of the look
}

func newDoor(life context.Context, l net.Listener, present func(context.Context) ([]uint32, error), log *zap.Logger) *door {
	return &door{Listener: l, life: life, own: uint32(max(0, os.Geteuid())), present: present, log: log, open: map[uint32]int{}} // there is no number on Windows
}

// guest is a connection through the door.
type guest struct {
	net.Conn
	door *door
	uid  uint32

	ask    sync.Once
	refuse error // set by ask
	leave  sync.Once
}

// Accept implements net.Listener.
func (d *door) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		switch g, err := d.enter(c); {
		case err == nil:
			return g, nil
		case errors.Is(err, errTooMany):
			answer(c, http.StatusTooManyRequests, err)
		}
		_ = c.Close() // it is not known who it was, or it was told
	}
}

// enter takes a place for a connection.
func (d *door) enter(c net.Conn) (*guest, error) {
	socket, ok := c.(*net.UnixConn)
	if !ok {
		return nil, fmt.Errorf("%T is no socket of this computer", c)
	}
	uid, err := peer(socket)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open[uid] >= perUser || !d.trusts(uid) && d.strangers >= ofStrangers {
		return nil, errTooMany
	}
	d.open[uid]++
	if !d.trusts(uid) {
		d.strangers++
	}
	return &guest{Conn: c, door: d, uid: uid}, nil
}

func (d *door) left(uid uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open[uid]--; d.open[uid] == 0 {
		delete(d.open, uid)
	}
	if !d.trusts(uid) {
		d.strangers--
	}
}

// trusts reports whether a user may without being there.
func (d *door) trusts(uid uint32) bool { return uid == root || uid == d.own }

// may returns why a user may not see and end remote sessions.
func (d *door) may(uid uint32) error {
	if d.trusts(uid) {
		return nil
	}
	d.looking.Lock()
	defer d.looking.Unlock()
	if d.looked.IsZero() || time.Since(d.looked) >= presentFor {
		d.users, d.err = d.present(d.life)
		d.looked = time.Now()
	}
	switch {
	case d.err != nil:
		return errNotKnown
	case !slices.Contains(d.users, uid):
		return errStranger
	}
	return nil
}

// Read implements net.Conn. Before the first byte it is decided whether the guest may stay: here, where nobody else waits for it.
func (g *guest) Read(p []byte) (int, error) {
	g.ask.Do(func() {
		if g.refuse = g.door.may(g.uid); g.refuse != nil {
			g.door.log.Debug("a user may not reach the agent", telemetry.Detail(userName(g.uid)), telemetry.Cause(g.refuse))
			answer(g.Conn, http.StatusForbidden, g.refuse)
			return
		}
		_ = g.SetReadDeadline(time.Now().Add(within)) // a read fails likewise where this does: the time of the look is not the guest's
	})
	if g.refuse != nil {
		return 0, io.EOF
	}
	return g.Conn.Read(p)
}

// Close implements net.Conn.
func (g *guest) Close() error {
	g.leave.Do(func() { g.door.left(g.uid) })
	return g.Conn.Close()
}

// answer refuses a connection of which nothing was read.
func answer(c net.Conn, status int, why error) {
	if err := c.SetWriteDeadline(time.Now().Add(sayWithin)); err != nil {
		return
	}
	text := why.Error() + "\n"
	_, _ = fmt.Fprintf(c, "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, http.StatusText(status), len(text), text) // it may be gone
}

// userName returns what a user is called, or the number of one who has no name that can be shown; nothing where it is not known who connects.
func userName(uid uint32) string {
	if !identifies {
		return ""
	}
	number := strconv.FormatUint(uint64(uid), 10)
	u, err := user.LookupId(number)
	if err != nil || u.Username == "" || strings.ContainsFunc(u.Username, func(r rune) bool { return !unicode.IsGraphic(r) || r == unicode.ReplacementChar }) {
		return "uid " + number
	}
	return u.Username
}
