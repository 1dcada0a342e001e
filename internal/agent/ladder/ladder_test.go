package ladder

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// Of several failures the one that came highest counts, and of those the first.
func TestOf(t *testing.T) {
	a, b, c := New(PortRefused, "a", nil), New(UnknownCA, "b", nil), New(WrongName, "c", nil)
	for _, tt := range []struct {
		name string
		err  error
		want *Failure
	}{
		{"none", io.EOF, nil},
		{"nil", nil, nil},
		{"wrapped", fmt.Errorf("x: %w", a), a},
		{"highest", errors.Join(io.EOF, fmt.Errorf("x: %w", a), fmt.Errorf("y: %w", b), c), b},
		{"joined within", errors.Join(a, fmt.Errorf("%w: %w", io.EOF, errors.Join(c, b))), c},
	} {
		if got := Of(tt.err); got != tt.want {
			t.Errorf("%s: Of = %v, want %v", tt.name, got, tt.want)
		}
	}
}

// What a stranger wrote stays in its line and in its bounds.
func TestSentence(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    *Failure
		want string
	}{
		{"alone", New(NameUnknown, "", nil), "The server's name is not in DNS."},
		{"detail", New(NameUnknown, "x.example", nil), "The server's name is not in DNS: x.example."},
		{"cause", New(NameUnknown, "", io.EOF), "The server's name is not in DNS: EOF."},
		{"both", New(NameUnknown, "x", io.EOF), "The server's name is not in DNS: x: EOF."},
		{"cause in the detail", New(NameUnknown, "x EOF y", io.EOF), "The server's name is not in DNS: x EOF y."},
		{"several lines", New(NameUnknown, "a\r\nb\x1b[2J\u202ec", nil), "The server's name is not in DNS: a  b?[2J?c."},
	} {
		if got := tt.f.Sentence(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := New(NameUnknown, strings.Repeat("x", 10000), nil).Error(); len(got) > maxDetail+50 {
		t.Errorf("an error of %d bytes", len(got))
	}
}

func TestHeight(t *testing.T) {
	if DNS.Height() != 1 || Presence.Height() != len(Steps()) || Step("x").Height() != 0 {
		t.Errorf("heights %d, %d, %d", DNS.Height(), Presence.Height(), Step("x").Height())
	}
}
