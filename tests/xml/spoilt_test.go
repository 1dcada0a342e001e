package xml

import (
	"slices"
	"strings"
	"testing"

	"signalbox/tests/harness"
)

const (
	spoiltStreams = 250
	alive         = "<iq type='get' id='alive'><ping xmlns='urn:xmpp:ping'/></iq>"
	// end is malformed behind anything: in text, in a value with either quote, in a tag, in a CDATA section.
	end = `]]>'">]]>`
)

// TestSpoiltStreams sends stanzas with random mistakes. Expat says beforehand which stanzas are complete before the first mistake: these arrive, and nothing else.
// It holds in both directions: what we accept, expat accepts, and what is valid is not refused.
func TestSpoiltStreams(t *testing.T) {
	t.Parallel()
	requirePython(t)
	s := startOpen(t)
	header := strings.Replace(headers["plain"], "to='D'", "to='"+harness.Domain+"'", 1)
	g := newGenerator(99)
	var texts []string
	var documents [][]byte
	for range spoiltStreams {
		const to = "pc-b@" + harness.Domain
		text := g.spoil(g.stanza(to), len("<message  to=''")+len(to)) + alive + end
		texts, documents = append(texts, text), append(documents, []byte(header+text))
	}
	b := online(t, s, "pc-b", plainHeader)
	var want, sources []string
	answered := 0
	for i, a := range askPython(t, documents)["expat"] {
		routed, ping := judge(a.Items)
		sendSpoilt(t, s, header, texts[i], ping)
		b.ping() // alive
		for _, r := range routed {
			want, sources = append(want, r), append(sources, texts[i])
		}
		if ping {
			answered++
		}
	}
	t.Logf("%d of %d streams have no mistake before their end", answered, spoiltStreams)
	if answered < spoiltStreams/10 || answered > spoiltStreams*9/10 {
		t.Errorf("%d of %d streams have no mistake, which says little", answered, spoiltStreams)
	}
	forEachParser(t, [][]byte{b.received()}, func(t *testing.T, answers []answer) {
		compare(t, sources, fromA(answers[0].Items, false), want)
	})
}

// judge says which of the stanzas that are complete are handed on, and whether the ping behind them is reached.
func judge(items []node) (routed []string, ping bool) {
	for _, item := range items {
		own := []string{"", jidOf("pc-a"), "pc-a@" + harness.Domain}
		stanza := slices.Contains([]string{"{jabber:client}message", "{jabber:client}iq", "{jabber:client}presence"}, item.Name)
		if !stanza || !slices.Contains(own, item.Attrs["{}from"]) {
			return routed, false // ends the stream
		}
		routed = append(routed, fromA([]node{item}, true)...)
		ping = item.Attrs["{}id"] == "alive"
	}
	return routed, ping
}

func sendSpoilt(t *testing.T, s *harness.Server, header, text string, ping bool) {
	t.Helper()
	a := online(t, s, "pc-a", header)
	a.say(text)
	got := a.last()
	found := streamError.FindStringSubmatch(got)
	known := []string{"not-well-formed", "restricted-xml", "invalid-xml", "unsupported-stanza-type", "invalid-from"}
	if found == nil || !slices.Contains(known, found[1]) {
		t.Errorf("%q: the stream ended with %q, want one of %v", text, got[max(0, len(got)-300):], known)
	}
	if strings.Contains(got, "id='alive'") != ping {
		t.Errorf("%q: the ping was answered: %t, but expat comes to it: %t", text, !ping, ping)
	}
}
