package xmpp

import "time"

// rate bounds what one endpoint sends: two token buckets that hold ten seconds' worth. It belongs to the reader.
type rate struct {
	stanzas, bytes       float64 // tokens left
	stanzaRate, byteRate float64 // per second
	last                 time.Time
}

const burstSeconds = 10

func newRate(cfg Config) rate { return rateOf(cfg.StanzasPerSec, cfg.BytesPerSec) }

// loginRate is what a stranger may send: a login has a dozen elements.
func loginRate(cfg Config) rate {
	return rateOf(min(10, cfg.StanzasPerSec), min(cfg.MaxLoginBytes, cfg.BytesPerSec))
}

func rateOf(stanzas, bytes int) rate {
	r := rate{stanzaRate: float64(stanzas), byteRate: float64(bytes), last: time.Now()}
	r.stanzas, r.bytes = burstSeconds*r.stanzaRate, burstSeconds*r.byteRate
	return r
}

// allow takes what one item costs; it is false when the endpoint sent too much.
func (r *rate) allow(now time.Time, bytes int, element bool) bool {
	seconds := now.Sub(r.last).Seconds()
	r.last = now
	r.bytes = min(r.bytes+seconds*r.byteRate, burstSeconds*r.byteRate) - float64(bytes)
	r.stanzas = min(r.stanzas+seconds*r.stanzaRate, burstSeconds*r.stanzaRate)
	if element {
		r.stanzas--
	}
	return r.bytes >= 0 && r.stanzas >= 0
}
