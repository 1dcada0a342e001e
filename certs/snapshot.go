package certs

import (
	"time"
)

// snapshot is what serves at one moment. It is immutable; a swap replaces it whole.
type snapshot struct {
	required *Bundle
	bundles  []*Bundle // by path, with the required one
	exact    map[string][]*Bundle
	wildcard map[string][]*Bundle // by the name behind "*."
}

func newSnapshot(required *Bundle, bundles []*Bundle) *snapshot {
	s := &snapshot{required: required, bundles: bundles, exact: map[string][]*Bundle{}, wildcard: map[string][]*Bundle{}}
	for _, b := range bundles {
		for _, n := range b.Names {
			if len(n) > 2 && n[:2] == "*." {
				s.wildcard[n[2:]] = append(s.wildcard[n[2:]], b)
			} else {
				s.exact[n] = append(s.exact[n], b)
			}
		}
	}
	return s
}

// pick chooses by the name that the client asked for (SNI, RFC 6066 section 3).
//
// Among the bundles that cover it one that is valid now comes before one that is not, then one with the exact name before
// one with a wildcard, then the one that lasts longer. Validity comes first because every endpoint refuses an expired
// certificate, however exact.
//
// No name, or an address in its place, gets the required bundle: old XMPP clients and connections by address send none.
// A name that nothing covers gets nil, so that a scanner learns nothing about whose machine this is.
func (s *snapshot) pick(host string, now time.Time) *Bundle {
	host = foldName(host)
	if host == "" || isAddress(host) {
		return s.required
	}
	exact := best(s.exact[host], now)
	wild := best(s.wildcard[parentName(host)], now)
	if exact == nil || (wild != nil && wild.Valid(now) && !exact.Valid(now)) {
		return wild
	}
	return exact
}

func best(bundles []*Bundle, now time.Time) *Bundle {
	var top *Bundle
	for _, b := range bundles {
		if top == nil || better(b, top, now) {
			top = b
		}
	}
	return top
}

func better(b, than *Bundle, now time.Time) bool {
	if v := b.Valid(now); v != than.Valid(now) {
		return v
	}
	return b.NotAfter.After(than.NotAfter)
}

// nextChange returns the next moment at which a bundle becomes valid or expires; zero if there is none.
func nextChange(bundles []*Bundle, now time.Time) time.Time {
	var next time.Time
	for _, b := range bundles {
		// NotAfter still counts, the second after it does not (RFC 5280 section 4.1.2.5).
		for _, t := range []time.Time{b.NotBefore, b.NotAfter.Add(time.Second)} {
			if t.After(now) && (next.IsZero() || t.Before(next)) {
				next = t
			}
		}
	}
	return next
}
