package turn

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/tests/turn/rawturn"
)

// resident is the memory of a process in bytes.
func resident(t *testing.T, pid int) (bytes int64) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(t, err)
	_, after, _ := strings.Cut(string(text), "VmRSS:")
	_, err = fmt.Sscan(after, &bytes)
	must(t, err)
	return bytes << 10
}

// TestDeaf: for a client that does not read, nothing is kept beyond a bound, whoever fills it: its peer, or itself by what it asks; others are served meanwhile.
func TestDeaf(t *testing.T) {
	const most = 48 << 20
	s, four := newOutside(t, "")
	p := s.probe()
	for _, network := range []string{"tcp", "tls"} {
		t.Run(network+", flooded by its peer", func(t *testing.T) {
			p := p.inner(t)
			c, relayed := p.allocated(network, p.user())
			x := newPeer(t, four)
			p.must(c.Bind(0x4000, x.addr))
			before := resident(t, s.child())
			for payload, n := patterned(1200), 0; n < 150_000; n++ {
				_, _ = x.WriteToUDPAddrPort(payload, relayed)
				if n%10_000 == 0 {
					p.alive()
				}
			}
			if grew := resident(t, s.child()) - before; grew > most {
				t.Errorf("%d KiB more for one client that does not read, at most %d", grew>>10, most>>10)
			}
		})
		t.Run(network+", asking", func(t *testing.T) {
			p := p.inner(t)
			c, _ := p.allocated(network, p.user())
			before := resident(t, s.child())
			must(t, c.SetWriteDeadline(time.Now().Add(4*time.Second)))
			asked := 0
			for ; asked < 200_000; asked++ {
				if _, err := c.Write(c.Signed(rawturn.New(rawturn.Refresh, rawturn.Uint32(rawturn.Lifetime, 600)))); err != nil {
					break // it is not read any more, or was closed
				}
			}
			if grew := resident(t, s.child()) - before; grew > most {
				t.Errorf("%d KiB more for one client that asked %d times and does not read, at most %d", grew>>10, asked, most>>10)
			}
			p.alive()
		})
	}
	p.alive()
	p.rests()
	c, _ := p.allocated("tcp", p.user())
	if _, err := c.Payload(silent); !errors.Is(err, rawturn.ErrSilence) {
		t.Errorf("a new client got %v", err)
	}
}

// TestAskingWithoutEnd: clients that ask more than there is time to answer take it from nobody else; others need not even ask twice.
func TestAskingWithoutEnd(t *testing.T) {
	s := newStand(t, settings{})
	p := s.probe()
	session := s.open(t)
	var clients []*rawturn.Client
	var crew sync.WaitGroup
	for range 8 {
		c, _ := p.allocated("tcp", session.a)
		clients = append(clients, c)
		var all []byte // different questions: the same one would get the answer of before
		for range 2000 {
			all = append(all, c.Signed(rawturn.New(rawturn.Refresh, rawturn.Uint32(rawturn.Lifetime, 600)))...)
		}
		crew.Go(func() { _, _ = io.Copy(io.Discard, c.Conn) })
		crew.Go(func() {
			for _, err := c.Write(all); err == nil; _, err = c.Write(all) { // until it is closed
			}
		})
	}
	for range 50 {
		p.allocated("udp", p.user())
	}
	for _, c := range clients {
		_ = c.Close()
	}
	crew.Wait()
	p.alive()
}
