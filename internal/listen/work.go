package listen

import (
	"net"
	"net/netip"
)

// work is what a connection has only during its handshake, when one goroutine reads and writes: a place at the gate, which it
// leaves while it waits for the network, and what a refusal is decoded from.
type work struct {
	gate   *gate
	source netip.Addr
	wrote  bool // our flight, with the certificate
	alert  byte // description of the plain alert that came last; 0: none
}

func (w *work) read(c net.Conn, b []byte) (int, error) {
	w.gate.leave()
	defer w.gate.enter(w.source)
	n, err := c.Read(b)
	if n > 0 {
		w.alert = plainAlert(b[:n])
	}
	return n, err
}

func (w *work) write(c net.Conn, b []byte) (int, error) {
	w.gate.leave()
	defer w.gate.enter(w.source)
	w.wrote = true
	return c.Write(b)
}
