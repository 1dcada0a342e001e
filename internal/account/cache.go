package account

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"signalbox/internal/endpoint"
)

// cache holds what is asked for with every stanza, of those accounts that have set it, and which accounts hold anything at all of what every login asks for: most
// endpoints do not. Changes come from the store in the order in which they became durable, so it is never behind what somebody was told.
type cache struct {
	mu       sync.RWMutex
	accounts map[endpoint.Key]settings
}

// settings are never changed, only replaced.
type settings struct {
	blocked     map[string]struct{}
	preferences *Preferences
	holds       holdings
}

// holdings says what an account may hold in the store. A bit that is not set is certain.
type holdings uint8

const (
	holdsContacts holdings = 1 << iota
	holdsOffline
	holdsNodes
)

func newCache() cache { return cache{accounts: make(map[endpoint.Key]settings)} }

func (c *cache) of(k endpoint.Key) settings {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.accounts[k]
}

// update replaces settings; empty ones take no space.
func (c *cache) update(k endpoint.Key, f func(*settings)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.accounts[k]
	f(&s)
	if len(s.blocked) == 0 && s.preferences == nil && s.holds == 0 {
		delete(c.accounts, k)
		return
	}
	c.accounts[k] = s
}

// holds reports whether an account may hold this.
func (c *cache) holds(k endpoint.Key, h holdings) bool { return c.of(k).holds&h != 0 }

// note says that an account may hold this from now on.
func (c *cache) note(k endpoint.Key, h holdings) {
	if !c.holds(k, h) {
		c.update(k, func(s *settings) { s.holds |= h })
	}
}

func (c *cache) noteAll(k endpoint.Key, contacts, offline, nodes bool) {
	for h, held := range map[holdings]bool{holdsContacts: contacts, holdsOffline: offline, holdsNodes: nodes} {
		if held {
			c.note(k, h)
		}
	}
}

// forget drops an account that is deleted.
func (c *cache) forget(k endpoint.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.accounts, k)
}

func (c *cache) setBlocked(k endpoint.Key, list []string) {
	set := make(map[string]struct{}, len(list))
	for _, j := range list {
		set[j] = struct{}{}
	}
	c.update(k, func(s *settings) { s.blocked = set })
}

// addBlocked is setBlocked of one more JID, before anybody reads.
func (c *cache) addBlocked(k endpoint.Key, jid string) {
	c.update(k, func(s *settings) {
		if s.blocked == nil {
			s.blocked = make(map[string]struct{})
		}
		s.blocked[jid] = struct{}{}
	})
}

func (c *cache) setPreferences(k endpoint.Key, p Preferences) {
	c.update(k, func(s *settings) {
		if s.preferences = &p; p.Default == ArchiveAlways && len(p.Always)+len(p.Never) == 0 {
			s.preferences = nil
		}
	})
}

func (c *cache) blocked(k endpoint.Key) []string {
	return slices.Sorted(maps.Keys(c.of(k).blocked))
}

// blocks looks for the four forms, each of which is a part of the JID itself.
func (c *cache) blocks(k endpoint.Key, jid string) bool {
	set := c.of(k).blocked
	if len(set) == 0 {
		return false
	}
	bare, _, _ := strings.Cut(jid, "/")
	local := strings.IndexByte(bare, '@') + 1
	for _, form := range [...]string{jid, bare, jid[local:], bare[local:]} {
		if _, ok := set[form]; ok {
			return true
		}
	}
	return false
}
