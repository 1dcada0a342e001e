//go:build unix

package remote

import (
	"strings"
	"testing"
	"time"

	"signalbox/internal/agent/capability/terminal"
	"signalbox/internal/channel"
	"signalbox/internal/channel/client"
	"signalbox/internal/peer"
)

// TestTerminalOverWebRTC: a real shell over the real way, from the grant to its exit; after the connection was replaced it goes on where it was.
func TestTerminalOverWebRTC(t *testing.T) {
	w := newWorld(t, local(), nil, terminal.New([]string{"sh"}))
	began := time.Now()
	w.begin(grant())
	first := newTechnician(t, w, 1, peer.Config{})
	c, err := first.Open(peer.Label{Name: channel.Terminal})
	must(t, err)
	first.call(t)
	shell, err := client.OpenTerminal(limit(t), c, channel.TerminalOpen{Cols: 80, Rows: 24})
	must(t, err)
	must(t, shell.Type(limit(t), []byte("echo fi''rst\n")))
	seen := &until{word: "first", stop: func() { first.hang(); first.Close() }}
	_, at, err := shell.Copy(limit(t), seen)
	if err == nil || !strings.Contains(seen.text.String(), "first") {
		t.Fatalf("Copy() = %v after %q", err, seen.text.String())
	}
	t.Logf("from the grant to the shell's answer: %v", time.Since(began).Round(time.Millisecond))

	second := newTechnician(t, w, 2, peer.Config{})
	c, err = second.Open(peer.Label{Name: channel.Terminal, Number: 2})
	must(t, err)
	second.call(t)
	shell, err = client.OpenTerminal(limit(t), c, channel.TerminalOpen{Cols: 80, Rows: 24, Terminal: shell.Opened().Terminal, From: at})
	must(t, err)
	if o := shell.Opened(); o.From != at || o.Lost != 0 {
		t.Errorf("opened = %+v, want it from %d on", o, at)
	}
	must(t, shell.Type(limit(t), []byte("exit 3\n")))
	if status, _, err := shell.Copy(limit(t), &until{}); err != nil || status != 3 {
		t.Errorf("Copy() = %d, %v, want the shell's status 3", status, err)
	}
}

// until notes what is written, and calls stop once a word was there.
type until struct {
	text strings.Builder
	word string
	stop func()
}

func (u *until) Write(b []byte) (int, error) {
	u.text.Write(b)
	if u.stop != nil && strings.Contains(u.text.String(), u.word) {
		u.stop()
		u.stop = nil
	}
	return len(b), nil
}
