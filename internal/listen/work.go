package listen

import (
	"net"
	"net/netip"
	"time"
)

// work is what a connection has only during its handshake, when one goroutine reads and writes: a place at the gate, which it
// leaves while it waits for the network, and what a refusal is decoded from.
type work struct {
	gate   *gate
	source netip.Addr
	waited time.Duration // at the gate
	wrote  bool          // our flight, with the certificate
	alert  byte          // description of the plain alert that came last; 0: none
}

func (w *work) enter() { w.waited += w.gate.enter(w.source) }

func (w *work) read(c net.Conn, b []byte) (int, error) {
	w.gate.leave()
	defer w.enter()
	n, err := c.Read(b)
	if n > 0 {
		w.alert = plainAlert(b[:n])
	}
	return n, err
}

func (w *work) write(c net.Conn, b []byte) (int, error) {
	w.gate.leave()
	defer w.enter()
	w.wrote = true
	return c.Write(b)
}
