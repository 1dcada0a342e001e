package beside

import (
	"slices"
	"sync"
)

// Results holds every measured value. It is safe for concurrent use.
type Results struct {
	mu     sync.Mutex
	values map[string]map[string][]float64 // by server and key
}

// Add keeps one measured value.
func (r *Results) Add(server, key string, v float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.values == nil {
		r.values = map[string]map[string][]float64{}
	}
	if r.values[server] == nil {
		r.values[server] = map[string][]float64{}
	}
	r.values[server][key] = append(r.values[server][key], v)
}

// Values returns what was measured of a server under a key, in the order in which it was.
func (r *Results) Values(server, key string) []float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.values[server][key])
}

// Median returns the middle value; ok is false if there is none.
func (r *Results) Median(server, key string) (m float64, ok bool) {
	v := r.Values(server, key)
	if len(v) == 0 {
		return 0, false
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2, true
}
