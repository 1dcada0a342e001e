package audit

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// check reads entries and returns what is found.
func check(entries []Entry, heads []Head, trusted ...PublicKey) Report {
	c := NewChecker(heads, trusted...)
	for _, e := range entries {
		if !c.Add(e) {
			break
		}
	}
	return c.Report()
}

func TestGoodChain(t *testing.T) {
	entries, heads := chain(t, 10, 3, 7)
	r := check(entries, []Head{heads[1], heads[0]}, theirs, ours)
	if r.Bad != nil || r.First != 1 || r.Last != 10 || r.Heads != 2 || r.Newest.Seq != 7 || r.Unsigned != 3 || !r.UnsignedSince.Equal(entries[7].At) || r.Trimmed != 0 {
		t.Errorf("report = %+v, bad %v", r, r.Bad)
	}
	entries, heads = chain(t, 10, 10)
	if r := check(entries, heads, ours); r.Bad != nil || r.Unsigned != 0 || !r.UnsignedSince.IsZero() {
		t.Errorf("report of a chain that is signed to its end = %+v", r)
	}
	if r := check(nil, nil, ours); r.Bad != nil || r.Last != 0 {
		t.Errorf("report of nothing = %+v", r)
	}
}

// rechain gives an entry and all behind it hashes that fit, as somebody does who changed it.
func rechain(entries []Entry, from int) {
	for i := from; i < len(entries); i++ {
		if i > 0 {
			entries[i].Prev = entries[i-1].Hash
		}
		entries[i].Hash = entries[i].digest()
	}
}

// TestChangesAreFound: whatever is done to a chain is found, and the first place is named.
func TestChangesAreFound(t *testing.T) {
	for _, tt := range []struct {
		name     string
		change   func(entries *[]Entry, heads *[]Head)
		from, to int64
		what     string
	}{
		{"a detail", func(e *[]Entry, _ *[]Head) { (*e)[4].Detail = json.RawMessage(`{"n":2}`) }, 5, 5, "it was changed"},
		{"a time", func(e *[]Entry, _ *[]Head) { (*e)[0].At = day.Add(time.Second) }, 1, 1, "it was changed"},
		{"one bit of a hash", func(e *[]Entry, _ *[]Head) { (*e)[4].Hash[9] ^= 1 }, 5, 5, "it was changed"},
		{"the hash of the one before", func(e *[]Entry, _ *[]Head) { (*e)[4].Prev[9] ^= 1 }, 4, 5, "one of them was changed"},
		{"a detail and its hash", func(e *[]Entry, _ *[]Head) { (*e)[4].Actor = "x"; (*e)[4].Hash = (*e)[4].digest() }, 5, 6, "one of them was changed"},
		{"a detail and all hashes behind it", func(e *[]Entry, _ *[]Head) { (*e)[4].Actor = "x"; rechain(*e, 4) }, 4, 7, "chained anew"},
		{"the entry of a head and all hashes behind it", func(e *[]Entry, h *[]Head) {
			*h = append(*h, Sign(ours, ours.String(), (*e)[3].Link(), day))
			(*e)[3].Actor = "x"
			rechain(*e, 3)
		}, 4, 4, "is not that of its signed head"},
		{"one is dropped", func(e *[]Entry, _ *[]Head) { *e = slices.Delete(*e, 4, 5) }, 5, 5, "is missing"},
		{"three are dropped", func(e *[]Entry, _ *[]Head) { *e = slices.Delete(*e, 4, 7) }, 5, 7, "they are missing"},
		{"one is dropped and the rest numbered and chained anew", func(e *[]Entry, _ *[]Head) {
			*e = slices.Delete(*e, 4, 5)
			for i := range *e {
				(*e)[i].Seq = int64(i + 1)
			}
			rechain(*e, 4)
		}, 4, 7, "chained anew"},
		{"the first is dropped", func(e *[]Entry, _ *[]Head) { *e = (*e)[1:] }, 1, 1, "not retention"},
		{"the first three are dropped, up to a head", func(e *[]Entry, _ *[]Head) { *e = (*e)[3:] }, 1, 3, "not retention"},
		{"two change places", func(e *[]Entry, _ *[]Head) { (*e)[4], (*e)[5] = (*e)[5], (*e)[4] }, 5, 5, "is missing"},
		{"one stands twice", func(e *[]Entry, _ *[]Head) { *e = slices.Insert(*e, 5, (*e)[4]) }, 5, 5, "moved or doubled"},
		{"two change their contents", func(e *[]Entry, _ *[]Head) { (*e)[4].Subject, (*e)[5].Subject = (*e)[5].Subject, (*e)[4].Subject }, 5, 5, "it was changed"},
		{"the end is cut off", func(e *[]Entry, _ *[]Head) { *e = (*e)[:5] }, 6, 7, "at the end"},
		{"the end is cut off by one", func(e *[]Entry, _ *[]Head) { *e = (*e)[:6] }, 7, 7, "is missing at the end"},
		{"everything is cut off", func(e *[]Entry, _ *[]Head) { *e = nil }, 1, 7, "at the end"},
		{"the end is written anew", func(e *[]Entry, _ *[]Head) {
			other, _ := chain(t, 6)
			other[5].Actor = "x"
			rechain(other, 5)
			*e = append((*e)[:5], other[5])
		}, 7, 7, "is missing at the end"},
		{"another key signed", func(e *[]Entry, h *[]Head) { *h = append(*h, Sign(theirs, theirs.String(), (*e)[8].Link(), day)) }, 9, 9, "no trusted key"},
		{"another key signed in our name", func(e *[]Entry, h *[]Head) { *h = append(*h, Sign(theirs, ours.String(), (*e)[8].Link(), day)) }, 9, 9, "no trusted key"},
		{"a head is dated back", func(_ *[]Entry, h *[]Head) { (*h)[1].At = day }, 7, 7, "no trusted key"},
		{"a head is moved", func(_ *[]Entry, h *[]Head) { (*h)[1].Seq = 8 }, 8, 8, "no trusted key"},
		{"a head of another chain", func(_ *[]Entry, h *[]Head) { (*h)[1] = Sign(ours, ours.String(), Link{7, Hash{1}}, day) }, 4, 7, "chained anew"},
		{"a head of the future by another key", func(_ *[]Entry, h *[]Head) { *h = append(*h, Sign(theirs, theirs.String(), Link{12, Hash{1}}, day)) }, 12, 12, "no trusted key"},
		{"a first entry that follows on something", func(e *[]Entry, h *[]Head) { (*e)[0].Prev[0], *h = 1, nil; rechain((*e)[:1], 0) }, 1, 1, "does not begin"},
		{"a number that there is not", func(e *[]Entry, _ *[]Head) { (*e)[0].Seq = 0 }, 0, 0, "no number"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			entries, heads := chain(t, 10, 3, 7)
			tt.change(&entries, &heads)
			r := check(entries, heads, ours)
			if r.Bad == nil {
				t.Fatalf("nothing is found: %+v", r)
			}
			if r.Bad.From != tt.from || r.Bad.To != tt.to || !strings.Contains(r.Bad.Error(), tt.what) {
				t.Errorf("found %v, want %d to %d: %s", r.Bad, tt.from, tt.to, tt.what)
			}
		})
	}
}

// trimmed is a chain of twelve, of which retention has deleted some and said so.
func trimmed(t *testing.T, change func(*Trim)) (entries []Entry, heads []Head) {
	t.Helper()
	entries, heads = chain(t, 11, 3, 7)
	trim := Trim{Through: 7, Hash: entries[6].Hash, Before: day.Add(2 * time.Hour)}
	if change != nil {
		change(&trim)
	}
	detail, err := json.Marshal(trim)
	if err != nil {
		t.Fatal(err)
	}
	last, err := entries[10].Link().Next(Entry{At: day, Actor: Server, Action: Trimmed, Detail: detail}, day)
	if err != nil {
		t.Fatal(err)
	}
	return append(entries, last), append(heads[1:], Sign(ours, ours.String(), last.Link(), day))
}

// TestTrimmedChain: what retention has deleted is no gap, also while it is at work; what else is missing is.
func TestTrimmedChain(t *testing.T) {
	entries, heads := trimmed(t, nil)
	for _, gone := range []int{0, 2, 6, 7} {
		r := check(entries[gone:], heads, ours)
		if r.Bad != nil || r.First != int64(gone+1) || r.Trimmed != 7 || r.Unsigned != 0 {
			t.Errorf("with %d deleted: %+v, bad %v", gone, r, r.Bad)
		}
	}
	if r := check(entries[7:], heads, ours); r.Heads != 2 || r.Anchor.Seq != 7 {
		t.Errorf("%d heads, want that of the anchor, too: %+v", r.Heads, r.Anchor)
	}
	if r := check(entries[7:], heads[1:], ours); r.Bad == nil || r.Bad.From != 7 || !strings.Contains(r.Bad.What, "signed head is missing") {
		t.Errorf("the anchor is missing: %v", r.Bad)
	}
	early, earlyHeads := trimmed(t, func(t *Trim) { t.Before = day.Add(time.Hour) })
	if r := check(early[7:], earlyHeads, ours); r.Bad == nil || r.Bad.From != 7 || !strings.Contains(r.Bad.What, "says that it was not") {
		t.Errorf("what was not old was deleted: %v", r.Bad)
	}
	if r := check(entries[8:], heads, ours); r.Bad == nil || r.Bad.From != 8 || r.Bad.To != 8 {
		t.Errorf("one more is missing: %v", r.Bad)
	}
	other, heads := trimmed(t, func(t *Trim) { t.Hash = Hash{1} })
	if r := check(other[7:], heads, ours); r.Bad == nil || r.Bad.From != 8 || !strings.Contains(r.Bad.What, "entry 12 says") {
		t.Errorf("the deleted end had another hash: %v", r.Bad)
	}
	anchor := []Head{Sign(ours, ours.String(), Link{7, Hash{1}}, day)}
	if r := check(entries[7:], anchor, ours); r.Bad == nil || r.Bad.From != 7 {
		t.Errorf("the anchor has another hash: %v", r.Bad)
	}
}

// TestAnyChangeIsFound changes one field of one entry of a signed chain, whatever it is.
func TestAnyChangeIsFound(t *testing.T) {
	entries, heads := chain(t, 20, 8, 20)
	rapid.Check(t, func(t *rapid.T) {
		changed := slices.Clone(entries)
		at := rapid.IntRange(0, 19).Draw(t, "entry")
		e := &changed[at]
		switch rapid.IntRange(0, 6).Draw(t, "field") {
		case 0:
			e.At = e.At.Add(time.Duration(rapid.Int64Range(1, 1<<40).Draw(t, "micros")) * time.Microsecond)
		case 1:
			e.Actor += rapid.StringN(1, 4, -1).Draw(t, "more")
		case 2:
			e.Domain = ""
		case 3:
			e.Subject = rapid.StringMatching("[A-Z]{1,8}").Draw(t, "subject")
		case 4:
			e.Action = SessionActive
		case 5:
			e.Prev[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		case 6:
			e.Detail = json.RawMessage(`{"n":` + rapid.StringMatching("[2-9]{1,8}").Draw(t, "n") + `}`)
		}
		if rapid.Bool().Draw(t, "chained anew") {
			rechain(changed, at)
		}
		r := check(changed, heads, ours)
		if chained := changed[at].Hash == changed[at].digest() && e.Prev == entries[at].Prev && changed[at].Hash == entries[at].Hash; chained {
			return // only the hash of the one before was changed, and chained back
		}
		if r.Bad == nil {
			t.Fatalf("a change of entry %d is not found", at+1)
		}
		if r.Bad.From > int64(at+1) || r.Bad.To < int64(at) {
			t.Errorf("a change of entry %d is said to be at %v", at+1, r.Bad)
		}
	})
}
