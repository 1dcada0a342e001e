//go:build !race

package tests

// raceCost is how much more the race detector costs.
const raceCost = 1
