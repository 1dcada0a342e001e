package kept

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signalbox/internal/push"
	"signalbox/xmpp/feature"
)

func sample(id string) Session {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	return Session{
		Domain: "example.org", Endpoint: id, Resource: "r\u00e9", ID: "id-" + id, Until: at.Add(time.Minute), Acked: 1<<32 - 1, Received: 7,
		Unacked: []Stanza{{Raw: []byte("<message>\x00\xff</message>"), Push: 3, Copies: 2}}, Pushes: []push.Carried{{ID: 3, Created: at, Ack: push.AckHandled, Written: true}},
		Available: true, Client: "c", State: &feature.Kept{Carbons: true, Presence: feature.Presence{Available: true, Priority: -1, Raw: []byte("<presence/>")}},
		Bound: at, Heard: at, Since: at, Reason: "shutdown", Remote: netip.MustParseAddrPort("[2001:db8::1]:5222"), Via: "tls", TLS: 0x0304,
	}
}

func TestSaveAndLoad(t *testing.T) {
	f := File{Path: filepath.Join(t.TempDir(), "kept"), Max: 1 << 20}
	all := []Session{sample("a"), sample("b")}
	saved, err := f.Save(all)
	if err != nil || !saved[0] || !saved[1] {
		t.Fatalf("Save = %v, %v", saved, err)
	}
	if info, err := os.Stat(f.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file: %v, %v", info, err)
	}
	got, err := f.Load()
	if diff := cmp.Diff(all, got, cmpopts.EquateComparable(netip.AddrPort{})); err != nil || diff != "" {
		t.Errorf("Load: %v (-saved +loaded):\n%s", err, diff)
	}
	if got, err := f.Load(); got != nil || err != nil {
		t.Errorf("the second Load = %v, %v, want nothing", got, err)
	}
}

// TestRoom: what does not fit is left out, what is smaller behind it is not; without anything there is no file.
func TestRoom(t *testing.T) {
	big := sample("big")
	big.Unacked[0].Raw = bytes.Repeat([]byte("x"), 2000)
	f := File{Path: filepath.Join(t.TempDir(), "kept"), Max: 2000}
	saved, err := f.Save([]Session{sample("a"), big, sample("b")})
	if diff := cmp.Diff([]bool{true, false, true}, saved); err != nil || diff != "" {
		t.Fatalf("Save: %v (-want +got):\n%s", err, diff)
	}
	if got, err := f.Load(); err != nil || len(got) != 2 || got[1].Endpoint != "b" {
		t.Errorf("Load = %d sessions, %v", len(got), err)
	}
	for _, all := range [][]Session{{big}, nil} {
		if _, err := f.Save(all); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(f.Path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a file without sessions: %v", err)
		}
	}
}

// TestUnusable: a file that is not whole is gone, and nothing of it counts.
func TestUnusable(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(text string) string
	}{
		{"empty", func(string) string { return "" }},
		{"cut", func(s string) string { return s[:len(s)-1] }},
		{"longer", func(s string) string { return s + "\n" }},
		{"changed", func(s string) string { return strings.Replace(s, `"received":7`, `"received":8`, 1) }},
		{"of another kind", func(s string) string { return strings.Replace(s, kind, "something else", 1) }},
		{"of another format", func(s string) string { return strings.Replace(s, `"format":1`, `"format":2`, 1) }},
		{"with another number of sessions", func(s string) string { return strings.Replace(s, `"sessions":2`, `"sessions":3`, 1) }},
		{"too large", func(s string) string { return strings.Replace(s, `"bytes":`, `"bytes":9999999`, 1) }},
		{"negative", func(s string) string { return strings.Replace(s, `"bytes":`, `"bytes":-`, 1) }},
		{"without a line", func(string) string { return strings.Repeat("x", 10000) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := File{Path: filepath.Join(t.TempDir(), "kept"), Max: 1 << 20}
			if _, err := f.Save([]Session{sample("a"), sample("b")}); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(f.Path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(f.Path, []byte(tc.change(string(text))), 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := f.Load(); !errors.Is(err, ErrUnusable) || got != nil {
				t.Errorf("Load = %d sessions, %v", len(got), err)
			}
			if _, err := os.Stat(f.Path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the file is still there: %v", err)
			}
		})
	}
}

func TestFailedSaveLeavesNothing(t *testing.T) {
	f := File{Path: filepath.Join(t.TempDir(), "kept"), Max: 1 << 20}
	if err := os.Mkdir(f.Path+".new", 0o700); err != nil { // nothing can be written there
		t.Fatal(err)
	}
	if saved, err := f.Save([]Session{sample("a")}); err == nil || saved != nil {
		t.Errorf("Save = %v, %v", saved, err)
	}
	if _, err := os.Stat(f.Path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file: %v", err)
	}
}

// TestDraftIsRemoved: what a stop that was cut off had begun to write does not stay.
func TestDraftIsRemoved(t *testing.T) {
	f := File{Path: filepath.Join(t.TempDir(), "kept"), Max: 1 << 20}
	if err := os.WriteFile(f.Path+".new", []byte("payloads"), 0o600); err != nil {
		t.Fatal(err)
	}
	if all, err := f.Load(); all != nil || err != nil {
		t.Errorf("Load = %v, %v", all, err)
	}
	if _, err := os.Stat(f.Path + ".new"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the draft: %v", err)
	}
}

func TestFresh(t *testing.T) {
	a, unnamed := sample("a"), sample("a")
	unnamed.ID = ""
	for _, tc := range []struct {
		name string
		s    Session
		now  time.Time
		want int
	}{{"in time", a, a.Since, 1}, {"too late", a, a.Until, 0}, {"without an id", unnamed, a.Since, 0}} {
		if got := Carried([]Session{tc.s}, tc.now); tc.s.Fresh(tc.now) != (tc.want == 1) || len(got) != tc.want || got[3] != (tc.want == 1) {
			t.Errorf("%s: %v, carries %v", tc.name, tc.s.Fresh(tc.now), got)
		}
	}
	if got := len(Of("example.net", []Session{a})) + len(Of("example.org", []Session{a})); got != 1 {
		t.Errorf("a session is of %d domains, want 1", got)
	}
}
