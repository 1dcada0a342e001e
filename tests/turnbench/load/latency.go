package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"signalbox/tests/turnbench/wire"
)

const (
	pingEvery   = 500 * time.Microsecond
	pongTimeout = time.Second
)

// latency measures round trips to a peer that sends back what it gets, in turns directly and through the server.
func (f *fleet) latency(ctx context.Context, o wire.Order) (r wire.Report, err error) {
	f.payload = pattern(o.Size)
	if f.peer, err = f.set.listen(); err != nil {
		return r, err
	}
	f.readers.Go(func() { echo(f.peer) })
	direct, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(port(f.peer)))
	if err != nil {
		return r, err
	}
	defer direct.Close()
	c, err := f.connect(ctx, o, 0)
	if err != nil {
		return r, err
	}
	f.clients = append(f.clients, c)
	if err := c.bind(port(f.peer)); err != nil {
		return r, err
	}
	buf := make([]byte, maxFrame)
	ways := []way{
		{conn: direct, packet: f.payload, read: func() ([]byte, error) { n, err := direct.Read(buf); return buf[:n], err }},
		{conn: c.conn, packet: channelData(channel, f.payload), read: func() ([]byte, error) {
			b, err := c.read(buf)
			p, _ := payload(b)
			return p, err
		}},
	}
	r.Begun = time.Now()
	if err := pingAll(ways, f.payload, o.Count); err != nil {
		return r, err
	}
	r.Ended, r.Done = time.Now(), o.Count
	r.Direct, r.Relayed = median(ways[0].took), median(ways[1].took)
	return r, nil
}

// echo sends everything back until the socket is closed.
func echo(conn *net.UDPConn) {
	buf := make([]byte, maxFrame)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		_, _ = conn.WriteToUDPAddrPort(buf[:n], from) // a packet that is lost shows at the sender
	}
}

// way is one of the two ways of a packet.
type way struct {
	conn   net.Conn
	packet []byte
	read   func() ([]byte, error)
	took   []time.Duration
}

// pingAll sends count packets each way, one after the other.
func pingAll(ways []way, payload []byte, count int) error {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for range count {
		for i := range ways {
			<-tick.C
			if err := ways[i].ping(payload); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *way) ping(payload []byte) error {
	begun := time.Now()
	if err := w.conn.SetReadDeadline(begun.Add(pongTimeout)); err != nil {
		return err
	}
	if _, err := w.conn.Write(w.packet); err != nil {
		return err
	}
	b, err := w.read()
	if err == nil && !bytes.Equal(b, payload) {
		err = fmt.Errorf("%d other bytes came back", len(b))
	}
	w.took = append(w.took, time.Since(begun))
	return err
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}
