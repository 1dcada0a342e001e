package guard

import (
	"testing"
	"time"

	"signalbox/turn/turntest"
	"signalbox/turn/wire"
)

// seeds are the beginnings of both targets.
func seeds(f *testing.F) {
	c := &turntest.Client{}
	f.Add(c.Build(wire.TypeAllocateRequest, turntest.NewID(), turntest.Transport()))
	f.Add(c.Build(wire.TypeRefreshRequest, turntest.NewID(), turntest.Uint32(wire.AttrLifetime, 600)))
	f.Add(c.Build(wire.TypeCreatePermissionRequest, turntest.NewID(), turntest.Peer(goodPeer)))
	f.Add(c.Build(wire.TypeChannelBindRequest, turntest.NewID(), turntest.Uint32(wire.AttrChannelNumber, 0x4000<<16), turntest.Peer(goodPeer)))
	f.Add(c.Build(wire.TypeSendIndication, turntest.NewID(), turntest.Peer(goodPeer), turntest.Bytes(wire.AttrData, 1, 2, 3)))
	f.Add([]byte{0x40, 0, 0, 4, 1, 2, 3, 4})
	f.Add([]byte{0, 1, 0xFF, 0xEC, 0x21, 0x12, 0xA4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
}

// signed returns a STUN message with the client's credentials behind its attributes, where it can be read; else the bytes as they are.
func (w *world) sign(c *turntest.Client, b []byte) []byte {
	var m wire.Message
	if m.Parse(b) != nil {
		return b
	}
	return c.Build(m.Type, m.TransactionID, func(to *wire.Builder) {
		for _, attr := range nonsenseAttrs {
			for v := range m.All(attr) {
				to.Add(attr, v)
			}
		}
	})
}

// FuzzDatagram: whatever a datagram holds, from a client with an allocation, signed or not, the server answers the next one.
func FuzzDatagram(f *testing.F) {
	seeds(f)
	w := newWorld(f, unlimited)
	w.openFor("ses_1", 24*time.Hour)
	c, _ := w.allocated("udp", "ses_1", 'a')
	f.Fuzz(func(t *testing.T, b []byte) {
		w.t = t
		if len(b) > wire.MaxFrame {
			return
		}
		for _, datagram := range [][]byte{b, w.sign(c, b)} {
			if _, err := c.Write(datagram); err != nil {
				t.Fatal(err)
			}
		}
		w.alive(c)
	})
}

// FuzzStream: whatever a stream holds, the server answers on the next one.
func FuzzStream(f *testing.F) {
	seeds(f)
	w := newWorld(f, unlimited)
	w.openFor("ses_1", 24*time.Hour)
	f.Fuzz(func(t *testing.T, b []byte) {
		w.t = t
		c := w.client("tcp", "ses_1", 'a')
		if _, err := c.Allocate(); err != nil {
			t.Fatal(err)
		}
		_, err := c.Write(append(w.sign(c, b), b...))
		if closed := c.Close(); err != nil || closed != nil {
			t.Fatal(err, closed)
		}
		w.alive(w.dial("udp"))
	})
}
