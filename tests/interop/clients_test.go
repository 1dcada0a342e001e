package interop

import (
	"sync"
	"testing"
)

// clients are the columns of the table.
var clients = []*client{melliumClient, slixmpp, aioxmpp, libstrophe, profanity, sendxmpp, xmppjs, strophejs, stanzajs}

// TestClients has clients that others wrote do everything that they can with the real server, and holds what came out against expect_test.go and against the
// table in docs/INTEROP.md: a cell that works without being expected to is as wrong as one that does not.
func TestClients(t *testing.T) {
	var mu sync.Mutex
	results := map[string]map[string]cell{}
	t.Run("each", func(t *testing.T) {
		for _, c := range clients {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				if c.version() == "" {
					t.Skipf("LEFT OUT: %s as a client: it is not installed (%s)", c.name, c.origin)
				}
				cells := c.try(t, newStage(t))
				c.judge(t, cells)
				mu.Lock()
				defer mu.Unlock()
				results[c.name] = cells
			})
		}
	})
	document(t, results)
}

// judge compares what came out with what must.
func (c *client) judge(t *testing.T, cells map[string]cell) {
	t.Helper()
	for name := range c.lacks {
		if !isFeature(name) {
			t.Errorf("%s lacks %q, which is no feature", c.name, name)
		}
	}
	for _, f := range features {
		got, tried := cells[f.name]
		if !tried {
			continue
		}
		switch want, why := expected(c, f); {
		case got.ok && !want:
			t.Errorf("%s: %s is ok (%s), but expected is no: %s", c.name, f.name, got.detail, why)
		case !got.ok && want:
			t.Errorf("%s: %s is no: %s", c.name, f.name, got.detail)
		}
	}
}

func isFeature(name string) bool {
	for _, f := range features {
		if f.name == name {
			return true
		}
	}
	return false
}
