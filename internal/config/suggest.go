package config

import (
	"fmt"
	"slices"
)

// didYouMean returns a hint at the known name that is closest to what was written, or nothing if none is close.
func didYouMean(written string, known []string) string {
	slices.Sort(known) // the same answer each time
	best, distance := "", min(len(written)/3, 2)+1
	for _, k := range known {
		if d := editDistance(written, k); k != "" && d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// editDistance counts the letters to insert, remove or replace, or to swap with the next, that make b of a.
func editDistance(a, b string) int {
	var before []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j]+cost, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
