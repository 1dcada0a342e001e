package account

import (
	"fmt"
	"testing"

	"signalbox/internal/endpoint"
)

func pc(i int) endpoint.Key { return endpoint.Key{Domain: "xmpp.example", ID: fmt.Sprintf("pc-%d", i)} }

// blocking returns a cache in which one account blocks a thousand JIDs, among many that block nobody.
func blocking() *cache {
	c := newCache()
	for i := range 1000 {
		c.addBlocked(pc(0), fmt.Sprintf("u%d@else.example", i))
		c.note(pc(i), holdsContacts)
	}
	return &c
}

func TestIsBlockedAllocatesNothing(t *testing.T) {
	s := &Service{}
	s.cache.accounts = blocking().accounts
	for _, tc := range []struct {
		k    endpoint.Key
		jid  string
		want bool
	}{{pc(0), "u999@else.example/r", true}, {pc(0), "stranger@else.example/r", false}, {pc(1), "u1@else.example/r", false}, {pc(5000), "u1@else.example", false}} {
		if got := s.IsBlocked(tc.k, tc.jid); got != tc.want {
			t.Errorf("IsBlocked(%s, %s) = %v, want %v", tc.k, tc.jid, got, tc.want)
		}
		if n := testing.AllocsPerRun(100, func() { s.IsBlocked(tc.k, tc.jid) }); n != 0 {
			t.Errorf("IsBlocked(%s, %s) makes %v allocations, want 0", tc.k, tc.jid, n)
		}
	}
}

func BenchmarkIsBlocked(b *testing.B) {
	c := blocking()
	for name, tc := range map[string]struct {
		k   endpoint.Key
		jid string
	}{
		"who blocks nobody": {pc(5000), "u1@else.example/r"},
		"not blocked":       {pc(0), "stranger@else.example/r"},
		"blocked":           {pc(0), "u1@else.example/r"},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.blocks(tc.k, tc.jid)
			}
		})
	}
}

func TestCacheTakesNoSpaceForNothing(t *testing.T) {
	c := newCache()
	c.setBlocked(pc(0), []string{"a@b"})
	c.setPreferences(pc(0), Preferences{Default: ArchiveNever})
	c.setBlocked(pc(0), nil)
	c.setPreferences(pc(0), Preferences{})
	c.setPreferences(pc(1), Preferences{})
	c.note(pc(2), holdsNodes)
	c.forget(pc(2))
	if len(c.accounts) != 0 {
		t.Errorf("the cache holds %v, want nothing", c.accounts)
	}
}
