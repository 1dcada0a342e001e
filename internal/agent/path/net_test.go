package path

import (
	"context"
	"encoding/binary"
	"net"
	"strings"
	"sync"
	"testing"
)

// serve accepts connections on a loopback port until the test ends and hands each to f, whose return closes it.
func serve(t *testing.T, f func(conn net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var running sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[conn] = true
			mu.Unlock()
			running.Go(func() { f(conn); conn.Close() })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for conn := range open {
			conn.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return l.Addr().String()
}

// closedPort is a loopback address on which nothing listens. A free port would do only until another test is given it.
const closedPort = "127.0.0.1:1"

// Response codes of DNS (RFC 1035 section 4.1.1).
const (
	codeOK       = 0
	codeFailure  = 2
	codeNotThere = 3
)

// nameServer runs a DNS server that knows the names ending in .ok as 127.0.0.1, fails for those ending in .broken, and says of all others that they are not there. It
// returns a resolver that asks it.
func nameServer(t *testing.T) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	var running sync.WaitGroup
	running.Go(func() {
		b := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(b)
			if err != nil {
				return
			}
			if answer := answerDNS(b[:n]); answer != nil {
				_, _ = pc.WriteTo(answer, from) // a lost answer is asked for again
			}
		}
	})
	t.Cleanup(func() { pc.Close(); running.Wait() })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

// answerDNS answers a message with one question.
func answerDNS(q []byte) []byte {
	const headerBytes = 12
	if len(q) < headerBytes {
		return nil
	}
	var labels []string
	at := headerBytes
	for at < len(q) && q[at] != 0 && at+1+int(q[at]) < len(q) {
		labels = append(labels, string(q[at+1:at+1+int(q[at])]))
		at += 1 + int(q[at])
	}
	end := at + 5 // the root, type and class
	if end > len(q) || len(labels) == 0 {
		return nil
	}
	code, address := codeNotThere, false
	switch strings.ToLower(labels[len(labels)-1]) {
	case "ok":
		code, address = codeOK, binary.BigEndian.Uint16(q[at+1:]) == 1
	case "broken":
		code = codeFailure
	}
	a := append([]byte(nil), q[:end]...)
	a[2], a[3] = 0x81, 0x80|byte(code)
	clear(a[6:headerBytes])
	if address {
		a[7] = 1
		a = append(a, 0xc0, headerBytes, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1)
	}
	return a
}
