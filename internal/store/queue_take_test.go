package store

import (
	"strconv"
	"strings"
	"testing"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

// TestPostedPushesGoFirst: where more waits than one transaction takes, in half of its room; all else keeps its order and comes to its turn.
func TestPostedPushesGoFirst(t *testing.T) {
	for _, tc := range []struct {
		name    string
		entries string // p: a presence, a: an accepted push, each of size 1; a digit: another operation of that size
		want    string // batches
	}{
		{"all fit", "ppa", "ppa"},
		{"behind presences", "pppppaa", "ppaa ppp"},
		{"half of the room", "ppaaaaaa", "ppaa aaaa"},
		{"behind a large one", "9aa", "9aa"},
		{"a large one has its turn", "aaaa9aa", "aaaa 9aa"},
		{"others keep their order", "p2p2a", "p2a p2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q := newQueue(100, 100)
			for i, kind := range strings.Split(tc.entries, "") {
				switch kind {
				case "p":
					q.putPresence(endpoint.Key{ID: strconv.Itoa(i)}, endpoint.Presence{})
				case "a":
					if err := q.put(&entry{op: &acceptPush{in: push.Submission{}}, size: 1, done: make(chan error, 1)}); err != nil {
						t.Fatal(err)
					}
				default:
					size, _ := strconv.Atoi(kind)
					if err := q.put(&entry{op: named(kind), size: size}); err != nil {
						t.Fatal(err)
					}
				}
			}
			var batches []string
			for batch := q.take(4); len(batch) > 0; batch = q.take(4) {
				text := ""
				for _, e := range batch {
					switch op := e.op.(type) {
					case named:
						text += string(op)
					case *acceptPush:
						text += "a"
					default:
						text += "p"
					}
				}
				batches = append(batches, text)
			}
			if got := strings.Join(batches, " "); got != tc.want {
				t.Errorf("batches %q, want %q", got, tc.want)
			}
			if requests, all := q.waiting(); requests != 0 || all != 0 || q.saves != 0 {
				t.Errorf("%d requests, %d entries, %d presences are counted", requests, all, q.saves)
			}
		})
	}
}
