package journal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"pgregory.net/rapid"
)

var (
	testTime = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	testKeep = Keep{Age: time.Hour, Count: 100}
)

func mustOpen(t *testing.T, dir string) *Journal {
	t.Helper()
	j, err := Open(dir, testKeep, testTime, zap.NewNop())
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func testPush(id string) Push {
	return Push{ID: id, Type: "demo.ping", Payload: []byte(`{"n":1,"s":"<&>"}`)}
}

func receive(t *testing.T, j *Journal, p Push) {
	t.Helper()
	if known, err := j.Receive(p, testTime); err != nil || known {
		t.Fatalf("Receive(%s) = %v, %v, want false, nil", p.ID, known, err)
	}
}

// view is all that can be asked of a journal.
type view struct {
	Phases  map[string]Phase
	Pushes  map[string]Push
	Results map[string]Result
}

func look(t interface{ Fatalf(string, ...any) }, j *Journal) view {
	v := view{map[string]Phase{}, map[string]Push{}, map[string]Result{}}
	for _, ph := range []Phase{Received, Started, Done, Covered} {
		for _, id := range j.Open(ph) {
			v.Phases[id] = ph
			p, err := j.Push(id)
			if err != nil {
				t.Fatalf("Push(%s): %v", id, err)
			}
			v.Pushes[id] = p
			res, ok, err := j.Result(id)
			if err != nil {
				t.Fatalf("Result(%s): %v", id, err)
			}
			if ok {
				v.Results[id] = res
			}
		}
	}
	return v
}

func TestJournalReopen(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir)
	binary := Push{ID: "bin", Type: "b", Payload: []byte{0, 1, 0xff}, Binary: true, Expires: testTime.Add(time.Minute)}
	for _, p := range []Push{testPush("a"), testPush("b"), testPush("c"), testPush("d"), binary, {ID: "empty", Type: "t"}} {
		receive(t, j, p)
	}
	must(t, j.Start("b", testTime))
	must(t, j.Start("c", testTime))
	must(t, j.Done("c", Result{OK: true, JSON: json.RawMessage(`{"x":"<"}`)}, testTime))
	must(t, j.Start("d", testTime))
	must(t, j.Done("d", Result{JSON: json.RawMessage(`{"reason":"timeout"}`)}, testTime))
	must(t, j.Cover("d", testTime))
	must(t, j.Cover("a", testTime)) // not done: says nothing
	want := view{
		Phases: map[string]Phase{"a": Received, "b": Started, "c": Done, "d": Covered, "bin": Received, "empty": Received},
		Pushes: map[string]Push{"a": testPush("a"), "b": testPush("b"), "c": testPush("c"), "d": {ID: "d"}, "bin": binary,
			"empty": {ID: "empty", Type: "t"}},
		Results: map[string]Result{"c": {OK: true, JSON: json.RawMessage(`{"x":"<"}`)}, "d": {JSON: json.RawMessage(`{"reason":"timeout"}`)}},
	}
	if diff := cmp.Diff(want, look(t, j)); diff != "" {
		t.Errorf("before closing (-want +got):\n%s", diff)
	}
	for range 2 { // the second time from a file that was written anew
		must(t, j.Close())
		j = mustOpen(t, dir)
		if diff := cmp.Diff(want, look(t, j)); diff != "" {
			t.Errorf("after opening (-want +got):\n%s", diff)
		}
	}
	if got, want := j.Open(Received), []string{"a", "bin", "empty"}; !cmp.Equal(got, want) {
		t.Errorf("order of reception = %v, want %v", got, want)
	}
	if known, err := j.Receive(testPush("d"), testTime); !known || err != nil {
		t.Errorf("Receive of a covered push = %v, %v, want true, nil", known, err)
	}
}

// A crash may cut the file anywhere: what was written before the cut record is all there, and the journal goes on.
func TestJournalTornAtEveryByte(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir)
	var states []view
	var ends []int64
	note := func() {
		states, ends = append(states, look(t, j)), append(ends, j.size)
	}
	note()
	receive(t, j, testPush("a"))
	note()
	must(t, j.Start("a", testTime))
	note()
	receive(t, j, testPush("b"))
	note()
	must(t, j.Done("a", Result{OK: true}, testTime))
	note()
	must(t, j.Cover("a", testTime))
	note()
	whole, err := os.ReadFile(filepath.Join(dir, journalName))
	must(t, err)
	for _, tail := range []string{"", "\x00\x00\x00", "garbage\n", "\x00\n\x00\n"} {
		for cut := range len(whole) + 1 {
			torn := t.TempDir()
			must(t, os.WriteFile(filepath.Join(torn, journalName), append(whole[:cut:cut], tail...), 0o600))
			j, err := Open(torn, testKeep, testTime, zap.NewNop())
			must(t, err)
			at := 0
			for i, end := range ends {
				if end <= int64(cut) {
					at = i
				}
			}
			if diff := cmp.Diff(states[at], look(t, j)); diff != "" {
				t.Fatalf("cut at %d of %d, tail %q (-want +got):\n%s", cut, len(whole), tail, diff)
			}
			receive(t, j, testPush("later"))
			must(t, j.Close())
		}
	}
}

func TestJournalDamagedMiddle(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir)
	for _, id := range []string{"a", "b", "c"} {
		receive(t, j, testPush(id))
	}
	must(t, j.Start("b", testTime))
	must(t, j.Done("b", Result{OK: true}, testTime))
	must(t, j.Close())
	path := filepath.Join(dir, journalName)
	text, err := os.ReadFile(path)
	must(t, err)
	lines := bytes.SplitAfter(text, []byte("\n"))
	lines[0][20] ^= 1
	damaged := bytes.Join(lines, nil)
	must(t, os.WriteFile(path, damaged, 0o600))

	core, logs := observer.New(zap.WarnLevel)
	j, err = Open(dir, testKeep, testTime, zap.New(core))
	must(t, err)
	defer j.Close()
	want := map[string]Phase{"b": Done, "c": Started} // c may have been started in a record that nobody can read
	if diff := cmp.Diff(want, look(t, j).Phases); diff != "" {
		t.Errorf("phases (-want +got):\n%s", diff)
	}
	if logs.Len() != 1 {
		t.Errorf("%d warnings, want 1", logs.Len())
	}
	kept, err := os.ReadFile(path + ".damaged")
	must(t, err)
	if !bytes.Equal(kept, damaged) {
		t.Error("the damaged file was not kept as it was")
	}
}

func TestJournalLocked(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir)
	if _, err := Open(dir, testKeep, testTime, zap.NewNop()); err == nil || !strings.Contains(err.Error(), "another agent") {
		t.Fatalf("second Open: %v, want a complaint about another agent", err)
	}
	must(t, j.Close())
	mustOpen(t, dir)
}

func TestJournalForgets(t *testing.T) {
	dir := t.TempDir()
	k := Keep{Age: time.Hour, Count: 3}
	j, err := Open(dir, k, testTime, zap.NewNop())
	must(t, err)
	for i := range 6 {
		id := fmt.Sprint(i)
		receive(t, j, testPush(id))
		if i == 5 {
			break // never done: never forgotten
		}
		must(t, j.Done(id, Result{OK: true}, testTime))
		must(t, j.Cover(id, testTime.Add(time.Duration(i)*time.Minute)))
	}
	must(t, j.Close())
	for _, tt := range []struct {
		now  time.Time
		want []string
	}{
		{testTime, []string{"2", "3", "4", "5"}},
		{testTime.Add(time.Hour + 3*time.Minute), []string{"3", "4", "5"}},
		{testTime.Add(1000 * time.Hour), []string{"5"}},
	} {
		j, err := Open(dir, k, tt.now, zap.NewNop())
		must(t, err)
		if got := j.Open(Received, Covered); !cmp.Equal(got, tt.want) {
			t.Errorf("at %v: %v, want %v", tt.now, got, tt.want)
		}
		must(t, j.Close())
	}
}

// While it runs, the file stays within about twice what has to be remembered.
func TestJournalBoundedWhileRunning(t *testing.T) {
	dir := t.TempDir()
	j, err := Open(dir, Keep{Age: time.Hour, Count: 2}, testTime, zap.NewNop())
	must(t, err)
	defer j.Close()
	payload, err := json.Marshal(strings.Repeat("x", 60<<10))
	must(t, err)
	for i := range 60 {
		id := fmt.Sprint(i)
		receive(t, j, Push{ID: id, Type: "t", Payload: payload})
		must(t, j.Done(id, Result{OK: true, JSON: payload}, testTime))
		must(t, j.Cover(id, testTime))
		if j.size > minCompact+maxRecordBytes {
			t.Fatalf("after %d pushes the journal has %d bytes", i, j.size)
		}
	}
	if n := len(j.Open(Covered)); n > 20 {
		t.Errorf("%d pushes remembered, want at most what fits between two compactions", n)
	}
}

func TestJournalRefusesLongRecord(t *testing.T) {
	j := mustOpen(t, t.TempDir())
	_, err := j.Receive(Push{ID: "a", Payload: make([]byte, maxRecordBytes), Binary: true}, testTime)
	if err == nil {
		t.Fatal("a record longer than the reader takes was written")
	}
	receive(t, j, testPush("b"))
}

// The journal does what a map would do, whatever the order of calls, reopening and compaction.
func TestJournalModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatalf("%v", err)
		}
		open := func() *Journal {
			j, err := Open(dir, testKeep, testTime, zap.NewNop())
			if err != nil {
				rt.Fatalf("open: %v", err)
			}
			return j
		}
		j := open()
		defer func() { j.Close() }()
		model := view{map[string]Phase{}, map[string]Push{}, map[string]Result{}}
		id := rapid.SampledFrom([]string{"a", "b", "c", "d"})
		check := func(err error) {
			if err != nil {
				rt.Fatalf("%v", err)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"": func(rt *rapid.T) {
				if diff := cmp.Diff(model, look(rt, j)); diff != "" {
					rt.Fatalf("(-model +journal):\n%s", diff)
				}
			},
			"receive": func(rt *rapid.T) {
				p := testPush(id.Draw(rt, "id"))
				_, want := model.Phases[p.ID]
				known, err := j.Receive(p, testTime)
				check(err)
				if known != want {
					rt.Fatalf("known = %v, want %v", known, want)
				}
				if !known {
					model.Phases[p.ID], model.Pushes[p.ID] = Received, p
				}
			},
			"start": func(rt *rapid.T) {
				if i := id.Draw(rt, "id"); has(model, i, Received) {
					check(j.Start(i, testTime))
					model.Phases[i] = Started
				}
			},
			"done": func(rt *rapid.T) {
				if i := id.Draw(rt, "id"); has(model, i, Received) || has(model, i, Started) {
					res := Result{OK: rapid.Bool().Draw(rt, "ok"), JSON: json.RawMessage(`[1]`)}
					check(j.Done(i, res, testTime))
					model.Phases[i], model.Results[i] = Done, res
				}
			},
			"cover": func(rt *rapid.T) {
				i := id.Draw(rt, "id")
				check(j.Cover(i, testTime))
				if has(model, i, Done) {
					model.Phases[i], model.Pushes[i] = Covered, Push{ID: i}
				}
			},
			"reopen": func(*rapid.T) {
				check(j.Close())
				j = open()
			},
			"compact": func(*rapid.T) { check(j.compactLocked(testTime)) },
		})
	})
}

func has(v view, id string, want Phase) bool {
	got, ok := v.Phases[id]
	return ok && got == want
}

func FuzzParseRecord(f *testing.F) {
	line, err := appendRecord(nil, record{What: recordDone, ID: "a", At: testTime, OK: true, Result: json.RawMessage(`{"a":1}`)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line[:len(line)-1])
	f.Add([]byte("00000000 {}"))
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := parseRecord(line)
		if err != nil {
			return
		}
		again, err := appendRecord(nil, r)
		if err != nil {
			return // a time or text that JSON cannot carry back
		}
		if _, err := parseRecord(bytes.TrimSuffix(again, []byte("\n"))); err != nil {
			t.Fatalf("%q was read, written as %q and refused: %v", line, again, err)
		}
	})
}
