package channel

import (
	"os"
	"strings"
	"testing"
)

// TestProtocolPage: each example of docs/PROTOCOL.md is a message, written as we write it.
func TestProtocolPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(page), "\n## Channels\n")
	if !ok {
		t.Fatal("there is no section Channels")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	name, examples := "", map[string]int{}
	for line := range strings.Lines(section) {
		line = strings.TrimSpace(line)
		if heading, ok := strings.CutPrefix(line, "### "); ok {
			name = heading
		}
		side, text, ok := strings.Cut(line, " {")
		if !ok || side != "T" && side != "E" {
			continue
		}
		kind := name + " request"
		if side == "E" {
			kind = name + " answer"
		}
		examples[kind]++
		v, err := decoders[kind]([]byte("{" + text))
		if err != nil {
			t.Errorf("%s: %s: %v", kind, line, err)
			continue
		}
		if again, err := Encode(v); err != nil || string(again) != "{"+text {
			t.Errorf("%s: %s\nis written %s, %v", kind, line, again, err)
		}
	}
	for kind := range decoders {
		if examples[kind] == 0 {
			t.Errorf("there is no example of a %s", kind)
		}
	}
}
