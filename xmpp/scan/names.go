package scan

import (
	"sort"
	"unicode/utf8"
)

// skipNCName returns the offset behind the name without colon that starts at b[i], or i when none starts there.
func skipNCName(b []byte, i int) int {
	start := i
	for i < len(b) {
		c := b[i]
		if c < utf8.RuneSelf {
			if classes[c]&isName == 0 || (i == start && classes[c]&isNameStart == 0) {
				return i
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if !isNameRune(r, i == start) {
			return i
		}
		i += n
	}
	return i
}

// skipQName returns the offset behind the qualified name at b[i] and the length of its prefix, 0 without one. ok is false
// when no such name stands there: no name, or an empty prefix or local part. A second colon ends the name, and no caller
// accepts a colon there.
func skipQName(b []byte, i int) (end, prefix int, ok bool) {
	end = skipNCName(b, i)
	if end == i {
		return end, 0, false
	}
	if end == len(b) || b[end] != ':' {
		return end, 0, true
	}
	prefix = end - i
	local := end + 1
	end = skipNCName(b, local)
	return end, prefix, end > local
}

// isNameRune decides for characters beyond ASCII by the fourth edition of XML 1.0, as expat does: a name that only the
// fifth edition allows would make receivers that use expat close their streams. utf8.RuneError is in no table.
func isNameRune(r rune, first bool) bool {
	if r > 0xFFFF {
		return false
	}
	return within(nameStarts[:], uint16(r)) || (!first && within(nameFollowers[:], uint16(r)))
}

func within(table []span16, c uint16) bool {
	i := sort.Search(len(table), func(i int) bool { return table[i].hi >= c })
	return i < len(table) && table[i].lo <= c
}
