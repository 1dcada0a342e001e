package store

import (
	"strings"
	"testing"
	"time"
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
	for _, key := range []string{"queue: ", "marks: ", "batch: ", "retention: ", "idempotency_retention: ", "outbox_retention: ", "archive_retention: ", "audit_retention: "} {
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
