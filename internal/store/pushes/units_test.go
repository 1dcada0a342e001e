package pushes

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/push"
	"signalbox/internal/store/direct"
)

func TestCodesCoverEveryState(t *testing.T) {
	for code, s := range States {
		got, err := StateOf(int64(code))
		if err != nil || got != s || StateCode(s) != int64(code) {
			t.Errorf("state %s has code %d, which is %s, %v", s, StateCode(s), got, err)
		}
	}
	if _, err := StateOf(int64(len(States))); err == nil {
		t.Error("StateOf an unknown code succeeds")
	}
	for s, want := range map[push.State]int64{push.Accepted: 2, push.Sent: 3, push.Delivered: placeFinal, push.Failed: 4} {
		if got := PlaceOf(s, push.AckDelivered, push.Low); got != want {
			t.Errorf("PlaceOf(%s) = %d, want %d", s, got, want)
		}
	}
}

// TestFirstOf: what is filed while somebody reads is found twice.
func TestFirstOf(t *testing.T) {
	of := func(all ...push.ID) (ps []push.Push) {
		for _, id := range all {
			ps = append(ps, push.Push{ID: id, Priority: push.Priority(id % 2)})
		}
		return ps
	}
	if diff := cmp.Diff(of(2, 4, 6, 1), firstOf(of(4, 6, 1, 3, 2, 4, 1), 4)); diff != "" {
		t.Errorf("firstOf (-want +got):\n%s", diff)
	}
}

func FuzzHistory(f *testing.F) {
	h := AppendChange(nil, 0, 1, "")
	f.Add(h)
	f.Add(AppendChange(h, 1, 1<<60, "reason"))
	f.Add(h[:5])
	f.Fuzz(func(t *testing.T, h []byte) {
		changes, err := decodeHistory(h)
		if err != nil {
			return
		}
		var again []byte
		for _, c := range changes {
			again = AppendChange(again, StateCode(c.State), direct.Micros(c.At), c.Reason)
		}
		if !bytes.Equal(again, h) {
			t.Errorf("%x is encoded as %x", h, again)
		}
		bounded, err := BoundHistory(bytes.Clone(h))
		if err != nil {
			t.Fatal(err)
		}
		kept, err := decodeHistory(bounded)
		if err != nil {
			t.Fatal(err)
		}
		want := changes
		if len(changes) >= maxHistory {
			want = append(changes[:1:1], changes[3:]...)
		}
		if diff := cmp.Diff(want, kept); diff != "" {
			t.Errorf("bounded history differs (-want +got):\n%s", diff)
		}
	})
}

func TestLongReasonIsCut(t *testing.T) {
	changes, err := decodeHistory(AppendChange(nil, 0, 1, strings.Repeat("x", 300)))
	if err != nil || len(changes) != 1 || len(changes[0].Reason) != 255 {
		t.Errorf("decodeHistory = %v, %v, want one change with 255 bytes of reason", changes, err)
	}
}
