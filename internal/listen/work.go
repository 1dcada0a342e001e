package listen

import (
	"net"
	"runtime"
)

// gate bounds how many handshakes compute at the same time, while any number of them reads and writes. Without it a storm of
// handshakes stands between the scheduler and every session that only wants to answer a ping.
type gate chan struct{}

// newGate lets twice as many in as can run, so that no processor is idle while one of them waits for another lock.
func newGate() gate { return make(gate, 2*runtime.GOMAXPROCS(0)) }

// enter waits for a place; nobody keeps one for longer than a few milliseconds of computing.
func (g gate) enter() { g <- struct{}{} }

func (g gate) leave() { <-g }

// work is what a connection has only during its handshake, when one goroutine reads and writes: a place at the gate, which it
// leaves while it waits for the network, and what a refusal is decoded from.
type work struct {
	gate  gate
	wrote bool // our flight, with the certificate
	alert byte // description of the plain alert that came last; 0: none
}

func (w *work) read(c net.Conn, b []byte) (int, error) {
	w.gate.leave()
	defer w.gate.enter()
	n, err := c.Read(b)
	if n > 0 {
		w.alert = plainAlert(b[:n])
	}
	return n, err
}

func (w *work) write(c net.Conn, b []byte) (int, error) {
	w.gate.leave()
	defer w.gate.enter()
	w.wrote = true
	return c.Write(b)
}
