package audit

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testKey is an identity key.
type testKey struct{ private ed25519.PrivateKey }

func newKey(seed byte) testKey {
	return testKey{ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(seed), ed25519.SeedSize)))}
}

func (k testKey) Sign(purpose string, data []byte) []byte {
	return ed25519.Sign(k.private, append([]byte(purpose+"\x00"), data...))
}

func (k testKey) Verify(purpose string, data, sig []byte) bool {
	return ed25519.Verify(k.private.Public().(ed25519.PublicKey), append([]byte(purpose+"\x00"), data...), sig)
}

func (k testKey) String() string { return hex.EncodeToString(k.private.Public().(ed25519.PublicKey)) }

var (
	ours   = newKey('a')
	theirs = newKey('b')
	day    = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

// memory is a store in memory.
type memory struct {
	mu      sync.Mutex
	entries []Entry
	heads   []Head
	broken  error
}

func (m *memory) AppendAudit(_ context.Context, e Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return m.broken
	}
	e, err := m.endLocked().Next(e, time.Now())
	if err == nil {
		m.entries = append(m.entries, e)
	}
	return err
}

func (m *memory) endLocked() Link {
	if len(m.entries) == 0 {
		return Link{}
	}
	return m.entries[len(m.entries)-1].Link()
}

func (m *memory) AuditEntries(context.Context, Query) ([]Entry, error) { return m.all(), nil }

func (m *memory) AuditEnd(context.Context) (end Link, newest Head, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.heads) > 0 {
		newest = m.heads[len(m.heads)-1]
	}
	return m.endLocked(), newest, m.broken
}

func (m *memory) AddAuditHead(_ context.Context, h Head) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heads = append(m.heads, h)
	return nil
}

func (m *memory) all() []Entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Entry(nil), m.entries...)
}

func (m *memory) breaks(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken = err
}

// chain returns n entries that follow each other, with heads of some of them.
func chain(t testing.TB, n int, signed ...int64) (entries []Entry, heads []Head) {
	t.Helper()
	end := Link{}
	for i := range n {
		e, err := end.Next(Entry{
			At: day.Add(time.Duration(i) * time.Minute), Domain: "push.example", Actor: "technician:ann", Action: SessionEnded, Subject: fmt.Sprint("ses_", i), Detail: json.RawMessage(`{"n":1}`),
		}, day)
		if err != nil {
			t.Fatal(err)
		}
		entries, end = append(entries, e), e.Link()
	}
	for _, seq := range signed {
		heads = append(heads, Sign(ours, ours.String(), entries[seq-1].Link(), day.Add(time.Hour)))
	}
	return entries, heads
}

// TestHashIsFixed: what is hashed never changes, or old trails would count as changed.
func TestHashIsFixed(t *testing.T) {
	e, err := Link{Seq: 41, Hash: Hash{1, 2, 3}}.Next(Entry{
		At: day, Domain: "push.example", Actor: "token:management", Action: TokenCreated, Subject: "tok_1", Detail: json.RawMessage(` { "name" : "<x>" } `),
	}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if string(e.Detail) != `{"name":"<x>"}` || e.Seq != 42 || e.Prev != (Hash{1, 2, 3}) {
		t.Errorf("Next = %+v", e)
	}
	if want := "6113535699dabbc304c86000b350fac43d1ffebe7c1a6277b2b5204a79ab2a85"; e.Hash.String() != want {
		t.Errorf("hash = %s, want %s", e.Hash, want)
	}
}

// TestHashCoversEverything: no field can be changed, and nothing moved from one to another, without another hash.
func TestHashCoversEverything(t *testing.T) {
	base := Entry{At: day, Domain: "d", Actor: "a", Action: "x.y", Subject: "s", Detail: json.RawMessage("{}")}
	seen := map[Hash]string{}
	for name, change := range map[string]func(*Entry){
		"nothing":               func(*Entry) {},
		"number":                func(e *Entry) { e.Seq++ },
		"time":                  func(e *Entry) { e.At = e.At.Add(time.Microsecond) },
		"domain":                func(e *Entry) { e.Domain = "" },
		"actor":                 func(e *Entry) { e.Actor = "b" },
		"action":                func(e *Entry) { e.Action = "x.z" },
		"subject":               func(e *Entry) { e.Subject = "t" },
		"detail":                func(e *Entry) { e.Detail = json.RawMessage(`{"a":1}`) },
		"entry before":          func(e *Entry) { e.Prev[31] = 1 },
		"actor becomes subject": func(e *Entry) { e.Actor, e.Subject = "", "as" },
		"domain becomes actor":  func(e *Entry) { e.Domain, e.Actor = "", "da" },
	} {
		e := base
		change(&e)
		if other, twice := seen[e.digest()]; twice {
			t.Errorf("%q and %q have one hash", name, other)
		}
		seen[e.digest()] = name
	}
}

func TestNextCleans(t *testing.T) {
	long := strings.Repeat("é", MaxText)
	e, err := Link{}.Next(Entry{Actor: long, Action: "a.b", Subject: "x\xff", Detail: json.RawMessage("{\"s\":\"\xff\"}")}, day.Add(time.Nanosecond))
	if err != nil {
		t.Fatal(err)
	}
	if e.Actor != long[:MaxText] || e.Subject != "x\uFFFD" || string(e.Detail) != "{\"s\":\"\uFFFD\"}" || !e.At.Equal(day) {
		t.Errorf("Next = %+v", e)
	}
	e, err = Link{}.Next(Entry{Actor: "a" + long, Action: "a.b"}, day)
	if err != nil || e.Actor != "a"+long[:MaxText-2] || string(e.Detail) != "{}" {
		t.Errorf("Next cuts a letter in two, or has no detail: %q %s %v", e.Actor, e.Detail, err)
	}
	for _, bad := range []Entry{
		{}, {Action: "ended"}, {Action: "Session.ended"}, {Action: "session.ended "}, {Action: "a." + strings.Repeat("b", MaxText)},
		{Action: "a.b", Detail: json.RawMessage("[]")}, {Action: "a.b", Detail: json.RawMessage("{")}, {Action: "a.b", Detail: json.RawMessage("{} {}")},
		{Action: "a.b", Detail: json.RawMessage(`{"s":"` + strings.Repeat("x", MaxDetail) + `"}`)},
	} {
		if _, err := (Link{}).Next(bad, day); !errors.Is(err, errEntry) {
			t.Errorf("Next(%.60q, %.60q) = %v", bad.Action, bad.Detail, err)
		}
	}
}

func TestHashText(t *testing.T) {
	h := Hash{0xab, 0xcd}
	var back Hash
	if err := back.UnmarshalText([]byte(h.String())); err != nil || back != h {
		t.Errorf("UnmarshalText = %s, %v", back, err)
	}
	for _, bad := range []string{"", "ab", strings.ToUpper(h.String()), h.String() + "00", h.String()[:62] + "zz"} {
		if err := back.UnmarshalText([]byte(bad)); err == nil || back != h {
			t.Errorf("UnmarshalText(%q) = %v", bad, err)
		}
	}
}

func TestActor(t *testing.T) {
	if got := ActorOf(t.Context()); got != Server {
		t.Errorf("ActorOf = %q", got)
	}
	if got := ActorOf(By(By(t.Context(), "local:root"), "token:x")); got != "token:x" {
		t.Errorf("ActorOf = %q", got)
	}
}
