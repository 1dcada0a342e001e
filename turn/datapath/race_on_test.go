//go:build race

package datapath

// raceEnabled: under the race detector sync.Pool forgets on purpose, so allocations cannot be counted.
const raceEnabled = true
