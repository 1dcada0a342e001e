package console

import (
	"regexp"
	"slices"
	"testing"

	"signalbox/internal/remote"
)

// TestPagesKnowEveryReason: the pages have a sentence for each reason of an end, and none for what is no reason.
func TestPagesKnowEveryReason(t *testing.T) {
	script, err := static.ReadFile("static/assets/core/reasons.js")
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z_]+): \["[^"]+\.", ".*"\],$`).FindAllSubmatch(script, -1) {
		known = append(known, string(m[1]))
	}
	for _, r := range remote.Reasons() {
		i := slices.Index(known, r.Name)
		if i < 0 {
			t.Errorf("reasons.js has no sentence for %s: %s", r.Name, r.Doc)
			continue
		}
		known = slices.Delete(known, i, i+1)
	}
	if len(known) > 0 {
		t.Errorf("reasons.js explains %v, which no session ends with", known)
	}
}
