package bench

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Profile is how an endpoint behaves.
type Profile string

// The profiles.
const (
	Steady   Profile = "steady"    // stays, and acknowledges at once
	Flaky    Profile = "flaky"     // loses its connection every few seconds without a word, and resumes
	HalfOpen Profile = "half-open" // stops reading and speaking at some moment, and its connection stays open
	Slow     Profile = "slow"      // takes its time to read and to acknowledge each push
)

// profiles holds all of them in the order in which they are printed.
var profiles = []Profile{Steady, Flaky, HalfOpen, Slow}

// Profiles says how many of a hundred endpoints have each profile.
type Profiles map[Profile]int

// ParseProfiles reads a text such as "steady=90,flaky=5,half-open=3,slow=2", which must sum up to 100.
func ParseProfiles(text string) (Profiles, error) {
	p := Profiles{}
	for part := range strings.SplitSeq(text, ",") {
		name, share, _ := strings.Cut(strings.TrimSpace(part), "=")
		n, err := strconv.Atoi(share)
		if err != nil {
			return nil, fmt.Errorf("profiles: %q is not a name with a percentage, such as steady=90", part)
		}
		p[Profile(name)] += n
	}
	return p, p.Validate()
}

// Validate returns what is wrong.
func (p Profiles) Validate() error {
	sum := 0
	for name, share := range p {
		known := false
		for _, k := range profiles {
			known = known || k == name
		}
		if !known {
			return fmt.Errorf("profiles: there is no profile %q: use steady, flaky, half-open, slow", name)
		}
		if share < 0 {
			return fmt.Errorf("profiles: %s: must not be negative", name)
		}
		sum += share
	}
	if sum != 100 {
		return errors.New("profiles: the percentages must sum up to 100")
	}
	return nil
}

// of returns the profile of the nth endpoint: in every hundred, each has its share, and few endpoints have it as near as may be.
func (p Profiles) of(n int) Profile {
	const stride = 61 // goes to every place of a hundred once, and the first few places are spread over all: about the golden section
	place := n * stride % 100
	for _, name := range profiles {
		if place < p[name] {
			return name
		}
		place -= p[name]
	}
	return Steady
}

// Times of the profiles.
const (
	keepalive  = 50 * time.Second // less than the server's own pings
	flakyLives = 15 * time.Second // on average
	flakyAway  = 3 * time.Second  // at most
	slowTakes  = time.Second      // at most
)

// about returns a random time from half of d to one and a half.
func about(d time.Duration) time.Duration { return d/2 + rand.N(d) }
