package store

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/push"
	"signalbox/internal/store/direct"
)

func TestLocate(t *testing.T) {
	for _, test := range []struct{ url, dir, want, mistake string }{
		{"", "/var/lib/signalbox", "/var/lib/signalbox/signalbox.db", ""},
		{"sqlite:///srv/../srv/a.db", "/x", "/srv/a.db", ""},
		{"", "", "", "data_dir is empty"},
		{"postgres://u@h/d", "/x", "", "does not support yet"},
		{"postgresql://u@h/d", "/x", "", "does not support yet"},
		{"sqlite://a.db", "/x", "", "three slashes"},
		{"sqlite:a.db", "/x", "", "not understood"},
		{"mysql://h", "/x", "", "not understood"},
	} {
		got, err := Locate(test.url, test.dir)
		if got != test.want || (err == nil) != (test.mistake == "") || err != nil && !strings.Contains(err.Error(), test.mistake) {
			t.Errorf("Locate(%q, %q) = %q, %v, want %q, %q", test.url, test.dir, got, err, test.want, test.mistake)
		}
	}
}

func TestConfig(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Errorf("Default: %v", err)
	}
	err := Config{}.Validate()
	if err == nil {
		t.Fatal("the zero Config is valid")
	}
	for _, key := range []string{"queue: ", "marks: ", "batch: ", "retention: ", "idempotency_retention: ", "outbox_retention: ", "archive_retention: "} {
		if !strings.Contains("\n"+err.Error(), "\n"+key) {
			t.Errorf("Validate does not name %q: %v", key, err)
		}
	}
	short := Default()
	short.OutboxUnread = short.OutboxRetention - 1
	if err := short.Validate(); err == nil || !strings.HasPrefix(err.Error(), "outbox_unread: ") {
		t.Errorf("Validate of an outbox_unread below outbox_retention = %v", err)
	}
}

func TestNextID(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)
	first := nextID(0, at)
	if ms := first>>22 + 1577836800000; ms != at.UnixMilli() {
		t.Errorf("nextID holds the time %d, want %d", ms, at.UnixMilli())
	}
	last := first
	for _, now := range []time.Time{at, at.Add(-time.Hour), {}, at, at.Add(time.Millisecond)} {
		id := nextID(last, now)
		if id <= last {
			t.Errorf("nextID(%d, %s) = %d, want a greater one", last, now, id)
		}
		last = id
	}
	if last != int64(idAt(at.Add(time.Millisecond))) {
		t.Errorf("nextID after the clock went on = %d, want the time again", last)
	}
}

func TestCodesCoverEveryState(t *testing.T) {
	for code, s := range states {
		got, err := stateOf(int64(code))
		if err != nil || got != s || stateCode(s) != int64(code) {
			t.Errorf("state %s has code %d, which is %s, %v", s, stateCode(s), got, err)
		}
	}
	if _, err := stateOf(int64(len(states))); err == nil {
		t.Error("stateOf an unknown code succeeds")
	}
	for s, want := range map[push.State]int64{push.Accepted: 2, push.Sent: 3, push.Delivered: placeFinal, push.Failed: 4} {
		if got := placeOf(s, push.AckDelivered, push.Low); got != want {
			t.Errorf("placeOf(%s) = %d, want %d", s, got, want)
		}
	}
}

func FuzzHistory(f *testing.F) {
	h := appendChange(nil, 0, 1, "")
	f.Add(h)
	f.Add(appendChange(h, 1, 1<<60, "reason"))
	f.Add(h[:5])
	f.Fuzz(func(t *testing.T, h []byte) {
		changes, err := decodeHistory(h)
		if err != nil {
			return
		}
		var again []byte
		for _, c := range changes {
			again = appendChange(again, stateCode(c.State), direct.Micros(c.At), c.Reason)
		}
		if !bytes.Equal(again, h) {
			t.Errorf("%x is encoded as %x", h, again)
		}
		bounded, err := boundHistory(bytes.Clone(h))
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
	changes, err := decodeHistory(appendChange(nil, 0, 1, strings.Repeat("x", 300)))
	if err != nil || len(changes) != 1 || len(changes[0].Reason) != 255 {
		t.Errorf("decodeHistory = %v, %v, want one change with 255 bytes of reason", changes, err)
	}
}
