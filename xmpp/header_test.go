package xmpp

import (
	"strings"
	"testing"
)

// TestHeaderAnswersFrom: our header has the bare address that the endpoint's own header came from, and none if it had none (RFC 6120 section 4.7.2).
func TestHeaderAnswersFrom(t *testing.T) {
	from := func(jid string) string { return strings.Replace(header, " to=", " from='"+jid+"' to=", 1) }
	for _, tc := range []struct{ name, header, want string }{
		{"none", header, ""},
		{"bare", from("pc-1@" + testDomain), " to='pc-1@" + testDomain + "'"},
		{"full", from("pc-1@" + testDomain + "/a&apos;b"), " to='pc-1@" + testDomain + "'"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newBench(t).connect(t)
			for _, before := range []string{"", authPC1} {
				k.feed(before + tc.header)
				_, got, _ := strings.Cut(k.wire.take(), "<stream:stream")
				got, _, _ = strings.Cut(got, ">")
				if tc.want == "" && strings.Contains(got, " to=") || !strings.Contains(got, tc.want) {
					t.Errorf("after %q the header is <stream:stream%s>, want%s in it", before, got, tc.want)
				}
			}
		})
	}
}
