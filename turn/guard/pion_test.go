package guard

import (
	"net"
	"testing"
	"time"

	"github.com/pion/logging"
	pturn "github.com/pion/turn/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"signalbox/turn/control"
)

// TestPionClient: a client that others wrote allocates, permits, sends, and binds a channel by itself.
func TestPionClient(t *testing.T) {
	w := newWorld(t)
	w.open("ses_1")
	a, clientA := w.pionClient("ses_1", 'a')
	b, clientB := w.pionClient("ses_1", 'b')
	if err := clientA.CreatePermission(b.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if err := clientB.CreatePermission(a.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	for range 3 { // the first as Send and Data indications, later ones on channels
		if _, err := a.WriteTo([]byte("there"), b.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		if _, err := b.WriteTo([]byte("and back"), a.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		for conn, want := range map[net.PacketConn]string{b: "there", a: "and back"} {
			buf := make([]byte, 100)
			n, _, err := conn.ReadFrom(buf)
			if err != nil || string(buf[:n]) != want {
				t.Errorf("received %q, %v, want %q", buf[:n], err, want)
			}
		}
	}
	waitFor(t, "a channel", func() bool { return w.metric("signalbox_turn_requests_total", "channel_bind") > 0 })
}

// pionClient returns the relayed end of one side of a session, and its client.
func (w *world) pionClient(id string, side byte) (net.PacketConn, *pturn.Client) {
	w.t.Helper()
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	user := control.Username(time.Now().Add(time.Minute), id, side)
	c, err := pturn.NewClient(&pturn.ClientConfig{
		Conn: socket, TURNServerAddr: w.udp, Username: user, Password: control.Password(w.currentSecrets().Current, user), Realm: "signalbox",
		LoggerFactory: &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := c.Listen(); err != nil {
		w.t.Fatal(err)
	}
	relayed, err := c.Allocate()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := relayed.SetReadDeadline(time.Now().Add(patience)); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = relayed.Close() // what is wrong with it would have been seen
		c.Close()
		_ = socket.Close()
	})
	return relayed, c
}

// TestLoggers: pion's lines are debug lines, whatever it thinks of them, and there are none when the guard has ended.
func TestLoggers(t *testing.T) {
	core, lines := observer.New(zap.DebugLevel)
	all := &loggers{log: zap.New(core)}
	l := all.NewLogger("turn")
	for _, say := range []func(string){l.Trace, l.Debug, l.Info, l.Warn, l.Error} {
		say("line")
	}
	for _, say := range []func(string, ...any){l.Tracef, l.Debugf, l.Infof, l.Warnf, l.Errorf} {
		say("line %d", 1)
	}
	all.end()
	l.Error("too late")
	if n := lines.FilterLevelExact(zap.DebugLevel).Len(); n != 10 || lines.Len() != 10 {
		t.Errorf("%d lines, %d at debug level, want 10", lines.Len(), n)
	}
	quiet, none := observer.New(zap.InfoLevel)
	(&loggers{log: zap.New(quiet)}).NewLogger("turn").Errorf("line %d", 1)
	if none.Len() != 0 {
		t.Error("a line where debug lines are off")
	}
}
