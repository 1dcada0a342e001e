package datapath

import (
	"net"
	"testing"
)

// TestPartOfAFrame: no buffer of the pool waits for the rest of a frame.
func TestPartOfAFrame(t *testing.T) {
	if !canTry {
		t.Skip("buffers are kept here")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ours, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	in := newInput(ours, false)
	for i, part := range []string{"ab", "cde"} {
		if _, err := c.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
		b, err := in.more()
		if want := "abcde"[:2+3*i]; err != nil || string(b) != want {
			t.Fatalf("read %q, %v; want %q", b, err, want)
		}
		in.keep(b)
		if in.pooled != nil || len(in.rest) != len(b) {
			t.Errorf("%d bytes are kept in a buffer of the pool", len(b))
		}
	}
}
