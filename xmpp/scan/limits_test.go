package scan

import (
	"fmt"
	"strings"
	"testing"
)

func TestLimits(t *testing.T) {
	tests := []struct {
		name, in string
		limits   Limits
		want     Condition
	}{
		{"as many bytes as allowed", `<a>` + strings.Repeat("x", 193) + `</a>`, Limits{Bytes: 200}, 0},
		{"a byte too many", `<a>` + strings.Repeat("x", 194) + `</a>`, Limits{Bytes: 200}, PolicyViolation},
		{"endless tag", `<a b='` + strings.Repeat("x", 300), Limits{Bytes: 200}, PolicyViolation},
		{"keepalives have no limit", strings.Repeat(" ", 300), Limits{Bytes: 200}, 0},
		{"each stanza by itself", strings.Repeat(`<a>xxxxx</a>`, 50), Limits{Bytes: 200}, 0},
		{"as deep as allowed", `<a><b><c/></b></a>`, Limits{Depth: 3}, 0},
		{"too deep", `<a><b><c/></b></a>`, Limits{Depth: 2}, PolicyViolation},
		{"a million levels", strings.Repeat(`<a>`, 1000000), Limits{Bytes: 1 << 24}, PolicyViolation},
		{"as many attributes as allowed", `<a b='' c='' d='' e=''/>`, Limits{Attributes: 4}, 0},
		{"too many attributes", `<a b='' c='' d='' e='' f=''/>`, Limits{Attributes: 4}, PolicyViolation},
		{"as many namespaces as allowed", `<a xmlns:b='u' xmlns:c='u'><b/></a>`, Limits{Namespaces: 2}, 0},
		{"too many namespaces", `<a xmlns:b='u' xmlns:c='u'><b xmlns=''/></a>`, Limits{Namespaces: 2}, PolicyViolation},
		{"namespaces that went out of scope", `<a>` + strings.Repeat(`<b xmlns:c='u' xmlns:d='u'/>`, 9) + `</a>`, Limits{Namespaces: 2, Bytes: 500}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := New(Limits{})
			if _, err := drain(&s, []byte(openClient)); err != nil {
				t.Fatal(err)
			}
			s.SetLimits(tt.limits)
			_, err := drain(&s, []byte(tt.in))
			if got := conditionOf(t, err); got != tt.want {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}

func TestHeaderLimits(t *testing.T) {
	long := strings.Repeat("u", maxScopeBytes)
	header := func(attrs string) string {
		return `<stream:stream xmlns:stream='http://etherx.jabber.org/streams'` + attrs + `>`
	}
	many := ""
	for i := range 64 {
		many += fmt.Sprintf(" xmlns:p%d='u'", i)
	}
	for name, in := range map[string]string{
		"long namespace":          header(` xmlns='` + long + `'`),
		"many prefixes":           header(many),
		"white space without end": strings.Repeat(" ", 20000),
		"long header":             header(` to='` + strings.Repeat("x", 20000) + `'`),
	} {
		t.Run(name, func(t *testing.T) {
			s := New(Limits{Attributes: 100, Namespaces: 100})
			_, err := drain(&s, []byte(in))
			if got := conditionOf(t, err); got != PolicyViolation {
				t.Errorf("%v, want %v", err, PolicyViolation)
			}
		})
	}
}

func TestLimitsLoweredInsideAnElement(t *testing.T) {
	long := strings.Repeat(" ", 100)
	for _, in := range []string{
		openClient + `<a>` + long, openClient + `<a ` + long, openClient + `<a>` + long + `&am`, openClient + `<a>` + long + `<![CDATA[x`,
		openClient + `<a>` + long + `<`, long, decl + long + `<`, `<?xml ` + long,
	} {
		s := New(Limits{})
		if _, err := drain(&s, []byte(in)); err != nil {
			t.Fatal(err)
		}
		rest := []byte(strings.TrimPrefix(in, openClient) + "x")
		if ev, n, err := s.Next(rest[:40]); ev.Kind != NeedMore || n != 0 || err != nil {
			t.Errorf("%q: Next with fewer bytes than before = %v, %d, %v", in, ev.Kind, n, err)
		}
		s.SetLimits(Limits{Bytes: 50})
		if _, _, err := s.Next(rest); conditionOf(t, err) != PolicyViolation {
			t.Errorf("%q: %v, want %v", in, err, PolicyViolation)
		}
	}
}
