package peer

import (
	"fmt"
	"strconv"
	"strings"
)

// Label is what a data channel is called: "NAME", or "NAME#NUMBER" where there are several of one name.
type Label struct {
	Name   string // of channel: "terminal"; 1 to 16 letters from a to z
	Number int    // 0: none
}

// maxLabelName is the length of the longest name.
const maxLabelName = 16

// String returns the label as it is on the wire.
func (l Label) String() string {
	if l.Number == 0 {
		return l.Name
	}
	return l.Name + "#" + strconv.Itoa(l.Number)
}

// ParseLabel reads a label; there is one spelling for each.
func ParseLabel(text string) (Label, error) {
	name, number, numbered := strings.Cut(text, "#")
	l := Label{Name: name}
	if name == "" || len(name) > maxLabelName || strings.ContainsFunc(name, func(r rune) bool { return r < 'a' || r > 'z' }) {
		return Label{}, fmt.Errorf("%.40q is no name of a channel", text)
	}
	if numbered {
		n, err := strconv.ParseInt(number, 10, 32)
		if err != nil || n < 1 || strconv.FormatInt(n, 10) != number {
			return Label{}, fmt.Errorf("%.40q is no number of a channel", text)
		}
		l.Number = int(n)
	}
	return l, nil
}
