package control

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
)

func TestEntrance(t *testing.T) {
	e := newEntrance(3, 2)
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for _, step := range []struct {
		source netip.Addr
		want   bool
	}{{a, true}, {a, true}, {a, false}, {b, true}, {b, false}} {
		if got := e.enter(step.source); got != step.want {
			t.Fatalf("enter(%v) = %v, want %v", step.source, got, step.want)
		}
	}
	e.leave(a)
	if !e.enter(b) || e.enter(a) {
		t.Error("the place that became free is not the next one's")
	}
	for _, source := range []netip.Addr{a, b, b} {
		e.leave(source)
	}
	if e.all != 0 || len(e.of) != 0 {
		t.Errorf("%d are in, of %v, want none", e.all, e.of)
	}
}

// TestOneConnectionOfAnOwner: a server that comes back by another connection ends that which it left, and no other's.
func TestOneConnectionOfAnOwner(t *testing.T) {
	s := newFakeServer(newFakeTURN())
	ctx, cancel := context.WithCancel(t.Context())
	var ended [3]chan error
	attend := func(i int, owner string) *bufio.Reader {
		t.Helper()
		here, there := net.Pipe()
		t.Cleanup(func() { _ = here.Close() })
		ended[i] = make(chan error, 1)
		go func() { ended[i] <- s.Serve(ctx, there) }()
		line, err := appendMessage(nil, message{Number: 1, Do: doHello, Hello: &hello{Version: protocolVersion, Owner: owner}})
		must(t, err)
		_, err = here.Write(line)
		must(t, err)
		r := bufio.NewReader(here)
		if m, err := readMessage(r); err != nil || m.Error != "" {
			t.Fatalf("hello = %+v, %v", m, err)
		}
		return r
	}
	attend(0, "node-b")
	first := attend(1, "node-a")
	attend(2, "node-a")
	if _, err := first.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the older connection reads %v, want its end", err)
	}
	must(t, <-ended[1])
	for _, left := range []int{0, 2} {
		select {
		case err := <-ended[left]:
			t.Errorf("connection %d has ended: %v", left, err)
		default:
		}
	}
	cancel()
	for _, left := range []int{0, 2} {
		must(t, <-ended[left])
	}
	if len(s.attended) != 0 {
		t.Errorf("%d owners are attended, want none", len(s.attended))
	}
}
