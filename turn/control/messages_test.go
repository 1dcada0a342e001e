package control

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// everything is a message with every member.
func everything() message {
	return message{
		Number: 7, Do: doOpen, ID: "x", Reason: "revoked", Owner: "node", IDs: []string{"a", "b"}, Found: true, Error: "no\nnewline",
		Hello:    &hello{Version: 1, Owner: "n", Own: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:443")}, Instance: "i", Listen: []Socket{{SocketUDP, ":3478"}}},
		Secrets:  &Secrets{Current: []byte{0, 1}, Previous: []byte{2}},
		Counters: &Counters{Allocations: 1, PacketsUp: 1 << 63, Drops: map[string]uint64{"rate": 3}},
		Metrics:  []byte{0xff, '\n'},
		Session: &Session{ID: "s", Expires: time.Unix(1700000000, 0).UTC(), AllowPeers: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
			Observed: [2][]netip.Addr{{netip.MustParseAddr("192.0.2.1")}, nil}},
		Settings: &Settings{Realm: "r", Own: []netip.AddrPort{netip.MustParseAddrPort("[::]:443")}, Relay: []RelayAddress{{Bind: netip.MustParseAddr("::1"), Announced: netip.MustParseAddr("::2")}}},
	}
}

var sameAddrs = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
}

func TestMessagesSurviveTheWire(t *testing.T) {
	want := everything()
	line, err := appendMessage(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(line, []byte("\n")); n != 1 || line[len(line)-1] != '\n' {
		t.Errorf("%d newlines in %q, want one at the end", n, line)
	}
	r := bufio.NewReader(bytes.NewReader(append(line, line...)))
	for range 2 {
		got, err := readMessage(r)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, sameAddrs); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if _, err := readMessage(r); !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("readMessage() at the end = %v", err)
	}
}

func TestBoundsOfMessages(t *testing.T) {
	tests := []struct {
		name, line string
		want       error
	}{
		{"no JSON", "x\n", errMessage},
		{"another shape", `{"n":"1"}` + "\n", errMessage},
		{"no end", `{"n":1}`, io.ErrUnexpectedEOF},
		{"deep", strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1) + "\n", errMessage},
		{"deep in a text", `{"error":"` + strings.Repeat("[", 100) + `\"[{"}` + "\n", nil},
		{"as deep as can be", `{"hello":` + strings.Repeat("[", maxDepth-1) + strings.Repeat("]", maxDepth-1) + "}\n", errMessage}, // another shape
		{"values", `{"ids":["a"` + strings.Repeat(`,"a"`, maxValues+1) + "]}\n", errMessage},
		{"many ids", `{"ids":["a"` + strings.Repeat(`,"a"`, MaxSessions-1) + "]}\n", nil},
		{"long", `{"error":"` + strings.Repeat("x", maxLine) + "\"}\n", errMessage},
		{"long without end", strings.Repeat("x", maxLine+1), errMessage},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := readMessage(bufio.NewReader(strings.NewReader(tt.line)))
			if !errors.Is(err, tt.want) {
				t.Errorf("readMessage() = %v, want %v", err, tt.want)
			}
		})
	}
	if _, err := appendMessage(nil, message{Error: strings.Repeat("x", maxLine)}); !errors.Is(err, errMessage) {
		t.Errorf("appendMessage() of what nobody reads = %v", err)
	}
}

// TestSyncOfAllSessionsFits: the longest message of all has room on a line.
func TestSyncOfAllSessionsFits(t *testing.T) {
	m := message{Do: doSync, IDs: make([]string, MaxSessions)}
	for i := range m.IDs {
		m.IDs[i] = strings.Repeat("x", MaxID)
	}
	line, err := appendMessage(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readMessage(bufio.NewReader(bytes.NewReader(line))); err != nil {
		t.Error(err)
	}
}

// FuzzMessages: whatever comes on a control connection, there is an answer or an error; what is a message can be written and read again.
func FuzzMessages(f *testing.F) {
	line, err := appendMessage(nil, everything())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add([]byte(`{"n":1,"do":"hello","hello":{"version":1,"owner":"n"}}` + "\n" + `{"n":2,"do":"open","session":{"id":"a","expires":"2030-01-01T00:00:00Z"}}` + "\n"))
	f.Add([]byte(`{"do":"end","id":"a"}` + "\n[[[[\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		conn, _ := net.Pipe()
		a := &attendance{server: newFakeServer(newFakeTURN()), conn: conn}
		r := bufio.NewReader(bytes.NewReader(text))
		for {
			m, err := readMessage(r)
			if err != nil {
				return
			}
			again, err := appendMessage(nil, m)
			if err != nil {
				t.Fatalf("what was read cannot be written: %v", err)
			}
			if _, err := readMessage(bufio.NewReader(bytes.NewReader(again))); err != nil {
				t.Fatalf("what was written cannot be read: %v", err)
			}
			if out, err := a.do(m); err == nil && out.Error != "" {
				t.Errorf("an answer and an error: %+v", out)
			}
		}
	})
}
