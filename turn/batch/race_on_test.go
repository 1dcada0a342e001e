//go:build race

package batch

// raceEnabled: under the race detector sync.Pool forgets on purpose, so allocations cannot be counted.
const raceEnabled = true
