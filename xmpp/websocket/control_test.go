package websocket

import (
	"testing"
	"time"
)

func TestBucket(t *testing.T) {
	now := time.Now()
	var b bucket
	for i := range controlBurst {
		if !b.take(now) {
			t.Fatalf("frame %d is too many", i)
		}
	}
	if b.take(now) {
		t.Error("one more than the burst was let in")
	}
	if b.take(now.Add(100 * time.Millisecond)) {
		t.Error("a burst is over before a tenth of a second")
	}
	now = now.Add(time.Hour)
	for i := range 1000 {
		if now = now.Add(time.Second / controlRate); !b.take(now) {
			t.Fatalf("frame %d at the rate is too many", i)
		}
	}
}
