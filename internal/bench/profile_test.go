package bench

import (
	"math"
	"testing"
)

// TestProfilesHaveTheirShares: of however many endpoints, and in every hundred to the endpoint.
func TestProfilesHaveTheirShares(t *testing.T) {
	for _, p := range []Profiles{{Steady: 90, Flaky: 5, HalfOpen: 3, Slow: 2}, {Steady: 40, Flaky: 20, HalfOpen: 20, Slow: 20}, {Slow: 100}} {
		got := Profiles{}
		for n := range 300 {
			got[p.of(n)]++
			for name, share := range p {
				if off := math.Abs(float64(got[name]) - float64((n+1)*share)/100); off > 2 || (n%100 == 99 && off != 0) {
					t.Errorf("%v: %d of %d endpoints are %s", p, got[name], n+1, name)
				}
			}
		}
	}
}
