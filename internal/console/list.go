package console

import (
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
)

// list is one page of things.
type list[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"` // cursor of the next page
}

const (
	usualLimit = 100
	mostLimit  = 500
)

// limitOf returns how many things a page has at most.
func limitOf(q url.Values) (int, error) {
	text := q.Get("limit")
	if text == "" {
		return usualLimit, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > mostLimit {
		return 0, invalid.because("The parameter limit is a number from 1 to 500.")
	}
	return n, nil
}

// cursorPrefix tells our cursors from what somebody wrote by hand; it changes with what is inside.
const cursorPrefix = "k1"

func newCursor(place string) string {
	return cursorPrefix + base64.RawURLEncoding.EncodeToString([]byte(place))
}

// placeOf returns the place behind which a page begins; empty for the first page.
func placeOf(q url.Values) (string, error) {
	text := q.Get("cursor")
	if text == "" {
		return "", nil
	}
	rest, ours := strings.CutPrefix(text, cursorPrefix)
	place, err := base64.RawURLEncoding.DecodeString(rest)
	if !ours || err != nil || len(place) == 0 || len(place) > 512 {
		return "", invalid.because("The parameter cursor is not the next of an earlier page.")
	}
	return string(place), nil
}

// only refuses parameters that are not among these.
func only(q url.Values, names ...string) error {
	for name := range q {
		known := false
		for _, n := range names {
			known = known || n == name
		}
		if !known {
			return invalid.because("There is a parameter that is not known.")
		}
	}
	return nil
}
