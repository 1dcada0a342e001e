package events

import (
	"fmt"
	"slices"
	"strings"
)

// Bounds of a Filter.
const (
	MaxFilterTypes     = 64
	MaxFilterEndpoints = 100
)

// Filter selects events. The zero value selects all that leave the server.
type Filter struct {
	Domain    string   // of the endpoints; events of the server are selected as well; empty: of all
	Types     []string // types, or all of a subject as in "push.*"; empty: all
	Endpoints []string // ids; empty: all, and the server; else events of these endpoints alone
	Push      string   // id of a push or of a push to several endpoints; empty: all, and what is about none; else events of it, or of its targets, alone
}

// CheckTypes says which of the types of a filter is none.
func CheckTypes(types []string) error {
	if len(types) > MaxFilterTypes {
		return fmt.Errorf("%d types, at most %d are allowed", len(types), MaxFilterTypes)
	}
	for _, pattern := range types {
		if !slices.ContainsFunc(Types(), func(t Type) bool { return t.Fits(pattern) }) {
			return fmt.Errorf("%.64q is no type of event such as push.failed, and no group of them such as push.*", pattern)
		}
	}
	return nil
}

// Fits reports whether the type is the pattern, or is of its subject as in "push.*".
func (t Type) Fits(pattern string) bool {
	subject, all := strings.CutSuffix(pattern, ".*")
	return string(t) == pattern || all && t.Subject() == subject
}

// Selects reports whether the filter selects e. Quiet events are never selected.
func (f *Filter) Selects(e *Event) bool {
	switch {
	case e.Type.Quiet(), f.Domain != "" && e.Domain != "" && e.Domain != f.Domain:
		return false
	case f.Push != "" && e.Push != f.Push && e.Fanout != f.Push:
		return false
	case len(f.Endpoints) > 0 && !slices.Contains(f.Endpoints, e.Endpoint):
		return false
	}
	return len(f.Types) == 0 || slices.ContainsFunc(f.Types, e.Type.Fits)
}

// selected returns those of all that the filter selects, up to limit, and the number up to which it has looked: that of the last one where it has seen all.
func (f *Filter) selected(all []Event, limit int) (some []Event, seen int64) {
	for i := range all {
		if f.Selects(&all[i]) {
			if len(some) == limit {
				break
			}
			some = append(some, all[i])
		}
		seen = all[i].Seq
	}
	return some, seen
}
