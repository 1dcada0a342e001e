package audit

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// runLog runs a log until the returned function is called.
func runLog(t *testing.T, m *memory) (l *Log, stop func()) {
	t.Helper()
	l = New(m, ours, ours.String(), zap.NewNop(), prometheus.NewRegistry())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	return l, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// refuse records so many acts of strangers.
func refuse(t *testing.T, l *Log, action string, n int) {
	t.Helper()
	for range n {
		if err := l.Record(t.Context(), Entry{Actor: "192.0.2.1", Action: action}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRecord(t *testing.T) {
	m := &memory{}
	l := New(m, ours, ours.String(), zap.NewNop(), prometheus.NewRegistry())
	for range 3 * PerMinute { // nobody counts what is done by those who may
		if err := l.Record(t.Context(), Entry{Actor: "technician:ann", Action: "technician.login"}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(m.all()); n != 3*PerMinute {
		t.Errorf("%d entries", n)
	}
	full := errors.New("disk full")
	m.breaks(full)
	if err := l.Record(t.Context(), Entry{Action: "technician.login"}); !errors.Is(err, full) {
		t.Errorf("Record = %v", err)
	}
	for _, action := range []string{"", "refused"} {
		if err := l.Record(t.Context(), Entry{Action: action}); !errors.Is(err, errEntry) {
			t.Errorf("Record(%q) = %v", action, err)
		}
	}
}

// TestStrangersAreBounded: what strangers cause is written up to a number in each minute, and the rest is told as a number, of each action by itself.
func TestStrangersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		l, stop := runLog(t, m)
		began := time.Now()
		refuse(t, l, SessionRefused, PerMinute+500)
		refuse(t, l, "enrolment.refused", 1)
		synctest.Wait()
		if n := len(m.all()); n != PerMinute+1 {
			t.Errorf("%d entries at once", n)
		}
		time.Sleep(2*time.Minute + time.Second)
		all := m.all()
		if n := len(all); n != PerMinute+2 {
			t.Fatalf("%d entries when the minute is over", n)
		}
		var told summary
		last := all[len(all)-1]
		if err := json.Unmarshal(last.Detail, &told); err != nil || last.Action != SessionRefused || last.Actor != Server || told != (summary{500, began.UTC()}) {
			t.Errorf("entry of the rest = %+v, %s", last, last.Detail)
		}
		refuse(t, l, SessionRefused, PerMinute)
		synctest.Wait()
		if n := len(m.all()); n != 2*PerMinute+2 {
			t.Errorf("%d entries in the next minute", n)
		}
		refuse(t, l, SessionRefused, 7)
		stop()
		all = m.all()
		if last = all[len(all)-1]; !strings.HasPrefix(string(last.Detail), `{"more":7,`) {
			t.Errorf("the last entry at the end = %s", last.Detail)
		}
		if r := check(all, m.heads, ours); r.Bad != nil || r.Unsigned != 0 {
			t.Errorf("report at the end = %+v, bad %v", r, r.Bad)
		}
	})
}

// TestStrangersWhileTheDiskIsFull: nobody waits, and nothing is forgotten.
func TestStrangersWhileTheDiskIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		l, stop := runLog(t, m)
		defer stop()
		m.breaks(errors.New("disk full"))
		refuse(t, l, SessionRefused, PerMinute+3)
		time.Sleep(5 * time.Minute)
		if n := len(m.all()); n != 0 {
			t.Errorf("%d entries", n)
		}
		m.breaks(nil)
		time.Sleep(2 * time.Minute)
		all := m.all()
		if len(all) != 1 || !strings.HasPrefix(string(all[0].Detail), `{"more":23,`) {
			t.Errorf("entries = %+v", all)
		}
	})
}

// TestHeads: signed at the start for what a run without an end has left, each hour where there is something new, and at the end.
func TestHeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		record := func() {
			t.Helper()
			if err := m.AppendAudit(t.Context(), Entry{Action: TokenCreated}); err != nil {
				t.Fatal(err)
			}
		}
		signed := func(want ...int64) {
			t.Helper()
			synctest.Wait()
			var got []int64
			for _, h := range m.heads {
				got = append(got, h.Seq)
			}
			if len(got) != len(want) || len(got) > 0 && got[len(got)-1] != want[len(want)-1] {
				t.Errorf("heads of %v, want %v", got, want)
			}
		}
		record()
		_, stop := runLog(t, m)
		signed(1)
		time.Sleep(3 * HeadInterval)
		signed(1)
		record()
		time.Sleep(HeadInterval + tick)
		signed(1, 2)
		record()
		stop()
		signed(1, 2, 3)
		if r := check(m.all(), m.heads, ours); r.Bad != nil || r.Heads != 3 {
			t.Errorf("report = %+v, bad %v", r, r.Bad)
		}
	})
}

// TestDamageIsNoticed: entries that are cut off while the server runs, with all signatures of them, are missed by it, and the trail says so from then on.
func TestDamageIsNoticed(t *testing.T) {
	for name, damage := range map[string]func(m *memory){
		"cut off":                 func(m *memory) { m.entries, m.heads = m.entries[:2], nil },
		"cut off, and older head": func(m *memory) { m.entries, m.heads = m.entries[:2], m.heads[:1] },
		"signature gone":          func(m *memory) { m.heads = m.heads[:1] },
		"written anew": func(m *memory) {
			m.entries[1].Actor = "x"
			rechain(m.entries, 1)
			m.heads[1] = Sign(theirs, theirs.String(), m.entries[3].Link(), day)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &memory{}
				entries, heads := chain(t, 4, 1)
				m.entries, m.heads = entries, heads
				_, stop := runLog(t, m)
				defer stop()
				synctest.Wait()
				m.mu.Lock()
				if len(m.heads) != 2 || m.heads[1].Seq != 4 {
					t.Errorf("heads = %+v", m.heads)
				}
				damage(m)
				before := len(m.entries)
				m.mu.Unlock()
				time.Sleep(2 * HeadInterval)
				all := m.all()
				last := all[len(all)-1]
				if len(all) != before+1 || last.Action != Damaged || !strings.HasPrefix(string(last.Detail), `{"signed":4,"hash":"`) {
					t.Errorf("entries = %+v", all)
				}
				m.mu.Lock()
				defer m.mu.Unlock()
				if r := check(all, m.heads, ours, theirs); r.Bad == nil || !strings.Contains(r.Bad.Error(), "signed as") && name != "written anew" {
					t.Errorf("report = %+v, bad %v", r, r.Bad)
				}
			})
		})
	}
}

// TestNewKeySignsAgain: an entry that the key before has signed is signed by the one that there is now.
func TestNewKeySignsAgain(t *testing.T) {
	m := &memory{}
	if h, err := SignEnd(t.Context(), m, ours, ours.String()); err != nil || h.Seq != 0 || m.heads != nil {
		t.Errorf("SignEnd of nothing = %+v, %v", h, err)
	}
	if err := m.AppendAudit(t.Context(), Entry{Action: TokenCreated}); err != nil {
		t.Fatal(err)
	}
	for _, k := range []testKey{ours, ours, theirs} {
		if h, err := SignEnd(t.Context(), m, k, k.String()); err != nil || !h.SignedBy(k) {
			t.Errorf("SignEnd = %+v, %v", h, err)
		}
	}
	if len(m.heads) != 2 {
		t.Errorf("%d heads, want one of each key", len(m.heads))
	}
}
