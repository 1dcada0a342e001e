package main

import (
	"bytes"
	"net"
	"sync/atomic"

	"golang.org/x/net/ipv4"
)

// tally counts packets that arrive, whoever they are for. Its readers run at the same time.
type tally struct {
	payload      []byte
	right, wrong atomic.Int64
	news         chan struct{} // has one element if something came since somebody looked
}

func newTally(payload []byte) *tally { return &tally{payload: payload, news: make(chan struct{}, 1)} }

func (t *tally) take(payload []byte) {
	if bytes.Equal(payload, t.payload) {
		t.right.Add(1)
	} else {
		t.wrong.Add(1)
	}
}

func (t *tally) tell() {
	select {
	case t.news <- struct{}{}:
	default:
	}
}

// datagrams counts what comes on a socket, many in one system call, until it is closed. What unwrap refuses carries no packet.
func (t *tally) datagrams(conn *net.UDPConn, unwrap func([]byte) ([]byte, bool)) {
	const atOnce = 64
	batch := ipv4.NewPacketConn(conn)
	all := make([]ipv4.Message, atOnce)
	for i := range all {
		all[i].Buffers = [][]byte{make([]byte, maxFrame)}
	}
	for {
		n, err := batch.ReadBatch(all, 0)
		if err != nil {
			return
		}
		for _, m := range all[:n] {
			if p, ok := unwrap(m.Buffers[0][:m.N]); ok {
				t.take(p)
			}
		}
		t.tell()
	}
}

// stream counts what comes over a stream until it ends.
func (t *tally) stream(c *client) {
	buf := make([]byte, maxFrame)
	for {
		b, err := c.read(buf)
		if err != nil {
			return
		}
		if p, ok := payload(b); ok {
			t.take(p)
		}
		if c.frames.Buffered() == 0 {
			t.tell()
		}
	}
}
