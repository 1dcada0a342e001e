package console

import (
	"syscall"
	"testing"

	"signalbox/tests/beside"
	"signalbox/tests/harness"
	"signalbox/tests/page"
)

// TestTURNProcessIsKilled: the page says that the TURN server was restarted, and its terminal goes on over the connection that it has.
func TestTURNProcessIsKilled(t *testing.T) {
	at, err := beside.Address()
	if err != nil {
		t.Skipf("LEFT OUT: the console over TURN: %v", err)
	}
	browser := browse(t)
	f := newFake(t)
	server, technician, endpoint := turnSides(t, at, "turn_udp", "turn:", "udp")
	f.servers = technician
	f.answers(t, browser, endpoint)
	b := newTab(t, browser, page.Desktop)
	s := b.connect(f, "terminal", "turn_only")
	b.Sees(".bar .badge", "TURN over UDP")
	b.Sees(".xterm-rows", "$")
	b.Types("uname\r")
	b.Sees(".xterm-rows", "ran UNAME")
	old := harness.TURNPid(t)
	if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return harness.TURNPid(t) != old }, "the TURN process is not started again")
	server.Call(t, "POST", "/v1/turn/sessions", `{"ttl":300}`, 201) // it is answered once all that was open is open again
	s.send(object{"type": "restarted"})
	b.Sees(".notice", "The TURN server was restarted; the connection is made again.")
	b.Types("date\r")
	b.Sees(".xterm-rows", "ran DATE")
	if n := s.peer(); n != 1 || s.relayed() != 0 {
		t.Errorf("connection %v was offered, %d channels went over the relay; want the first, and none", n, s.relayed())
	}
}
