package apidoc

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// fields are the names that a row of the page's table of events says for the data of a type.
func (p page) fields() map[string][]string {
	all := map[string][]string{}
	var last []string // of the row above
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z]+(?:\\.[a-z]+)+)` \\| [^|]* \\| ([^|]*)\\|$").FindAllStringSubmatch(p.text, -1) {
		var names []string
		if strings.HasPrefix(row[2], "the same") {
			names = slices.Clone(last)
		}
		for _, m := range regexp.MustCompile("`([a-z0-9_]+)`").FindAllStringSubmatch(row[2], -1) {
			names = append(names, m[1])
		}
		all[row[1]], last = names, names
	}
	return all
}

// checkEvents holds the data of everything that happened against the page's table of events, and what the receiver got against the API's description.
func (w *world) checkEvents(t *testing.T, p page) {
	t.Helper()
	var page struct {
		Items []struct {
			Type string
			Data map[string]json.RawMessage
		}
	}
	_, text := w.server.Call(t, "GET", "/v1/events?after=0&limit=500", "", http.StatusOK)
	if err := json.Unmarshal([]byte(text), &page); err != nil {
		t.Fatal(err)
	}
	documented, seen := p.fields(), map[string]bool{}
	for _, e := range page.Items {
		seen[e.Type] = true
		for name := range e.Data {
			if !slices.Contains(documented[e.Type], name) {
				t.Errorf("an event %s has data %s, of which the page says nothing", e.Type, name)
			}
		}
	}
	if len(seen) < 10 {
		t.Errorf("only events %v were seen", seen)
	}
	w.mu.Lock()
	messages := slices.Clone(w.messages)
	w.mu.Unlock()
	for _, m := range messages {
		w.server.Message(t, m)
	}
	if len(messages) < 3 {
		t.Errorf("the receiver got %d messages", len(messages))
	}
}
