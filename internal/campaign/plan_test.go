package campaign

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/push"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC) // a Wednesday

func TestDecide(t *testing.T) {
	base := Campaign{State: Running, Targets: 1000, Spec: Spec{Push: push.Push{Ack: push.AckHandled}}, CanaryPassed: true}
	for _, tc := range []struct {
		name   string
		change func(*Campaign)
		counts push.Counts
		want   decision
	}{
		{"as fast as it can", func(*Campaign) {}, nil, decision{action: send, count: 500}},
		{"the rest", func(c *Campaign) { c.Sent = 990 }, push.Counts{push.Handled: 990}, decision{action: send, count: 10}},
		{"a rate below one a second", func(c *Campaign) { c.Rate = 30 }, nil, decision{action: send, count: 1}},
		{"a rate", func(c *Campaign) { c.Rate = 600 }, nil, decision{action: send, count: 10}},
		{"a rate that is not due", func(c *Campaign) { c.Rate, c.NextAt = 600, noon.Add(time.Second) }, nil, decision{until: noon.Add(time.Second), why: WaitRate}},
		{"a rate of a clock that stood ahead", func(c *Campaign) { c.Rate, c.NextAt = 600, noon.Add(time.Hour) }, nil, decision{action: send, count: 10}},
		{"before its start", func(c *Campaign) { c.Start = noon.Add(time.Hour) }, nil, decision{until: noon.Add(time.Hour), why: WaitStart}},
		{"the canary", func(c *Campaign) { c.CanaryPercent, c.CanaryPassed = 1, false }, nil, decision{action: send, count: 10}},
		{"the rest of the canary", func(c *Campaign) { c.CanaryPercent, c.CanaryPassed, c.Sent = 1, false, 7 }, push.Counts{push.Accepted: 7}, decision{action: send, count: 3}},
		{"results of the canary", func(c *Campaign) {
			c.CanaryPercent, c.CanaryPassed, c.Sent, c.CanaryAt, c.CanaryWait = 1, false, 10, noon, time.Hour
		}, push.Counts{push.Handled: 9, push.Delivered: 1}, decision{why: WaitCanary}},
		{"all results of the canary", func(c *Campaign) {
			c.CanaryPercent, c.CanaryPassed, c.Sent, c.CanaryAt, c.CanaryWait = 1, false, 10, noon, time.Hour
		}, push.Counts{push.Handled: 9, push.Failed: 1}, decision{action: passCanary}},
		{"a canary that takes too long", func(c *Campaign) {
			c.CanaryPercent, c.CanaryPassed, c.Sent, c.CanaryAt, c.CanaryWait = 1, false, 10, noon.Add(-time.Hour), time.Hour
		}, push.Counts{push.Accepted: 10}, decision{action: passCanary}},
		{"too many failures", func(c *Campaign) { c.AbortPercent, c.AbortAfter, c.Sent = 10, 10, 20 }, push.Counts{push.Handled: 8, push.Failed: 1, push.Expired: 1, push.Sent: 10},
			decision{action: abort}},
		{"as many failures as may be", func(c *Campaign) { c.AbortPercent, c.AbortAfter, c.Sent = 10, 10, 20 }, push.Counts{push.Handled: 9, push.Rejected: 1, push.Sent: 10},
			decision{action: send, count: 500}},
		{"failures among too few", func(c *Campaign) { c.AbortPercent, c.AbortAfter, c.Sent = 10, 10, 20 }, push.Counts{push.Failed: 9}, decision{action: send, count: 500}},
		{"too many failures of the last ones", func(c *Campaign) { c.AbortPercent, c.Sent = 10, 1000 }, push.Counts{push.Failed: 1000}, decision{action: abort}},
		{"outside its window", func(c *Campaign) { c.Window = Window{From: "22:00", Until: "05:00"} }, nil,
			decision{until: time.Date(2026, 3, 4, 22, 0, 0, 0, time.UTC), why: WaitWindow}},
		{"all is sent", func(c *Campaign) { c.Sent = 1000 }, push.Counts{push.Handled: 999, push.Delivered: 1}, decision{why: WaitEnd}},
		{"all is over", func(c *Campaign) { c.Sent = 1000 }, push.Counts{push.Handled: 600, push.Failed: 400}, decision{action: finish}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := base
			tc.change(&c)
			if diff := cmp.Diff(tc.want, c.decide(noon, tc.counts), cmp.AllowUnexported(decision{})); diff != "" {
				t.Errorf("decide() (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRate: what is sent in a minute is the rate, however the ticks come.
func TestRate(t *testing.T) {
	for _, rate := range []int{1, 7, 60, 599, 600, 30000} {
		c := Campaign{State: Running, Targets: 1 << 30, CanaryPassed: true, Spec: Spec{Rate: rate}}
		for now := noon; now.Before(noon.Add(10 * time.Minute)); now = now.Add(time.Second + 3*time.Millisecond) {
			for {
				d := c.decide(now, nil)
				if d.action != send {
					break
				}
				c.NextAt = c.after(now, d.count)
				c.Sent += d.count
			}
		}
		if most, least := 10*rate+c.atOnce(), 10*rate-2*c.atOnce(); c.Sent > most || c.Sent < least {
			t.Errorf("%d in ten minutes at %d per minute", c.Sent, rate)
		}
	}
}

func TestWindow(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	night := Window{From: "22:00", Until: "05:00", Zone: "Europe/Paris", Days: []string{"mon", "fri"}}
	day := Window{From: "09:00", Until: "17:00"}
	for _, tc := range []struct {
		name   string
		w      Window
		at     time.Time
		opened bool
		next   time.Time
	}{
		{"none", Window{}, noon, true, time.Time{}},
		{"inside", day, noon, true, time.Time{}},
		{"at its begin", day, time.Date(2026, 3, 4, 9, 0, 0, 0, time.UTC), true, time.Time{}},
		{"at its end", day, time.Date(2026, 3, 4, 17, 0, 0, 0, time.UTC), false, time.Date(2026, 3, 5, 9, 0, 0, 0, time.UTC)},
		{"before it", day, time.Date(2026, 3, 4, 1, 0, 0, 0, time.UTC), false, time.Date(2026, 3, 4, 9, 0, 0, 0, time.UTC)},
		{"the night that began on Monday", night, time.Date(2026, 3, 3, 4, 59, 0, 0, paris), true, time.Time{}},
		{"that night is over", night, time.Date(2026, 3, 3, 5, 0, 0, 0, paris), false, time.Date(2026, 3, 6, 22, 0, 0, 0, paris)},
		{"a night that did not begin on its days", night, time.Date(2026, 3, 4, 23, 0, 0, 0, paris), false, time.Date(2026, 3, 6, 22, 0, 0, 0, paris)},
		{"from Saturday to Monday", night, time.Date(2026, 3, 7, 6, 0, 0, 0, paris), false, time.Date(2026, 3, 9, 22, 0, 0, 0, paris)},
		{"over the change to summer time", Window{From: "02:30", Until: "03:30", Zone: "Europe/Paris"}, time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC), false,
			time.Date(2026, 3, 29, 3, 30, 0, 0, paris)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			opened, next := tc.w.Open(tc.at)
			if opened != tc.opened || !next.Equal(tc.next) {
				t.Errorf("Open(%v) = %v, %v, want %v, %v", tc.at, opened, next, tc.opened, tc.next)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	bad := Spec{
		Push: push.Push{Type: "", TTL: time.Hour}, To: []string{"pc-1", "pc-1"}, Rate: -1, CanaryPercent: 101, AbortPercent: -1, Window: Window{From: "25:00", Until: "1", Zone: "Nowhere/X", Days: []string{"today"}},
	}
	err := bad.Validate()
	want := map[string]bool{
		"/name": true, "/rate_per_minute": true, "/canary/percent": true, "/abort/failed_percent": true, "/window/from": true, "/window/until": true, "/window/zone": true,
		"/window/days/0": true, "/push/to/1": true, "/push/type": true,
	}
	fields, _ := err.(push.FieldErrors)
	got := map[string]bool{}
	for _, f := range fields {
		got[f.Pointer] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mistakes (-want +got):\n%s", diff)
	}
}

func TestID(t *testing.T) {
	id := ID(1 << 40)
	if got, err := ParseID(id.String()); got != id || err != nil {
		t.Errorf("ParseID(%q) = %v, %v", id, got, err)
	}
	for _, text := range []string{"", "cmp_", push.ID(1).String(), "cmp_x", "cmp_00000000000000"} {
		if id, err := ParseID(text); err == nil {
			t.Errorf("ParseID(%q) = %v", text, id)
		}
	}
}

// TestTimesOfDay: hours are compared as texts, so they need two digits.
func TestTimesOfDay(t *testing.T) {
	for text, ok := range map[string]bool{"09:00": true, "23:59": true, "9:00": false, "24:00": false, "09:00:00": false, "": false} {
		if errs := (Window{From: text, Until: "17:00"}).check(); (errs == nil) != ok {
			t.Errorf("check of %q = %v", text, errs)
		}
	}
}
