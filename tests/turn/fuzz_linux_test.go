package turn

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"signalbox/tests/turn/rawturn"
)

// garbler makes messages that are nearly right, always the same ones from the same seed.
type garbler struct {
	*rand.Rand
	c *rawturn.Client // whose requests are signed; nil: a stranger's
}

var (
	garbledTypes = []uint16{rawturn.Binding, rawturn.Allocate, rawturn.Refresh, rawturn.CreatePermission, rawturn.ChannelBind, rawturn.SendIndication, rawturn.DataIndication, 0x0011, 0x0101, 0x0103, 0x0113, 0x000A}
	garbledAttrs = []uint16{rawturn.Username, rawturn.Integrity, rawturn.ErrorCode, rawturn.UnknownAttributes, rawturn.ChannelNumber, rawturn.Lifetime, rawturn.XORPeer, rawturn.Data, rawturn.Realm,
		rawturn.Nonce, rawturn.XORRelayed, rawturn.AddressFamily, rawturn.EvenPort, rawturn.RequestedTransport, rawturn.DontFragment, rawturn.XORMapped, rawturn.ReservationToken, rawturn.AdditionalFamily,
		rawturn.Fingerprint}
)

func pick[T any](g garbler, all []T) T { return all[g.IntN(len(all))] }

func (g garbler) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(g.Uint32())
	}
	return b
}

// next is one datagram: one in eight is like ChannelData, the others are STUN with 0 to 4 attributes, of which one in ten has a wrong length and one in ten is cut.
func (g garbler) next() []byte {
	if g.IntN(8) == 0 {
		b := g.bytes(g.IntN(64))
		if len(b) > 0 {
			b[0] = b[0]&0x0F | 0x40
		}
		return b
	}
	m := rawturn.New(pick(g, garbledTypes))
	for range g.IntN(5) {
		m.Attrs = append(m.Attrs, rawturn.Attr{Type: pick(g, garbledAttrs), Value: g.bytes(g.IntN(33))})
	}
	b := m.Encode()
	if g.c != nil && g.IntN(4) > 0 {
		b = g.c.Signed(m)
	}
	if g.IntN(10) == 0 {
		binary.BigEndian.PutUint16(b[2:], uint16(g.Uint32()))
	}
	if g.IntN(10) == 0 {
		b = b[:g.IntN(len(b))]
	}
	return b
}

// TestGarbled: neither strangers nor clients end or occupy the TURN process by what they send.
func TestGarbled(t *testing.T) {
	s := newStand(t, settings{})
	p := s.probe()
	pid := s.child()
	datagrams, frames := 40000, 4000
	if testing.Short() {
		datagrams, frames = 8000, 800
	}
	t.Run("datagrams of a stranger", func(t *testing.T) { p.inner(t).garble(datagrams, "udp", false) })
	t.Run("datagrams of a client", func(t *testing.T) { p.inner(t).garble(datagrams, "udp", true) })
	t.Run("frames of a stranger", func(t *testing.T) { p.inner(t).garble(frames, "tcp", false) })
	t.Run("frames of a client", func(t *testing.T) { p.inner(t).garble(frames, "tcp", true) })
	p.alive()
	p.rests()
	if now := s.child(); now != pid {
		t.Errorf("the TURN process is %d, was %d", now, pid)
	}
}

// garble sends n messages, by a new client whenever a stream was ended or a batch is over: a server that is well answers it.
func (p *probe) garble(n int, network string, signed bool) {
	const batch, ofOneSession = 500, 32
	source := rand.New(rand.NewPCG(6, 8656))
	var account rawturn.Account
	for sent, clients := 0, 0; sent < n; clients++ {
		if clients%ofOneSession == 0 {
			account = p.user()
		}
		g := garbler{Rand: source}
		var c *rawturn.Client
		if signed {
			c, _ = p.allocated(network, account)
			g.c = c
		} else {
			c = p.dial(network)
		}
		sent += g.send(c, batch)
		_ = c.Close()
	}
}

// send writes up to n messages, until the server closes the connection, and returns how many. What the server says is read away: a stream would wait for that.
func (g garbler) send(c *rawturn.Client, n int) (sent int) {
	for sent < n {
		sent++
		if _, err := c.Write(g.next()); err != nil {
			return sent
		}
		var err error
		for err == nil {
			_, err = c.Next(time.Microsecond)
		}
		if errors.Is(err, rawturn.ErrClosed) {
			return sent
		}
	}
	return sent
}
