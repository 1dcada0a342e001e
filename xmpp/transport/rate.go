package transport

import "time"

// burstSeconds is for how long a peer that was silent may send all at once.
const burstSeconds = 10

// Rate bounds what one peer sends: two token buckets that hold ten seconds' worth. It belongs to the reader.
type Rate struct {
	stanzas, bytes       float64 // tokens left
	stanzaRate, byteRate float64 // per second
	last                 time.Time
}

// NewRate returns full buckets for so many elements and bytes per second.
func NewRate(stanzas, bytes int) Rate {
	r := Rate{stanzaRate: float64(stanzas), byteRate: float64(bytes), last: time.Now()}
	r.stanzas, r.bytes = burstSeconds*r.stanzaRate, burstSeconds*r.byteRate
	return r
}

// Allow takes what one item costs; it is false when the peer sent too much.
func (r *Rate) Allow(now time.Time, bytes int, element bool) bool {
	seconds := now.Sub(r.last).Seconds()
	r.last = now
	r.bytes = min(r.bytes+seconds*r.byteRate, burstSeconds*r.byteRate) - float64(bytes)
	r.stanzas = min(r.stanzas+seconds*r.stanzaRate, burstSeconds*r.stanzaRate)
	if element {
		r.stanzas--
	}
	return r.bytes >= 0 && r.stanzas >= 0
}
