package xml

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"signalbox/tests/harness"
)

// perStream is how many stanzas each kind of stream carries, the corpus and made-up ones.
const perStream = 900

// TestWhatIsRoutedMeansTheSame sends valid stanzas in every notation on streams of every kind, and holds what the sender's stream means to a parser against what
// the receiver's stream means to it: the same stanzas in the same order, in the sender's true name.
func TestWhatIsRoutedMeansTheSame(t *testing.T) {
	t.Parallel()
	requirePython(t)
	s := startOpen(t)
	var documents [][]byte
	var stanzas []string
	for i, name := range slices.Sorted(maps.Keys(headers)) {
		header := strings.NewReplacer("to='D'", "to='"+harness.Domain+"'", `to="D"`, `to="`+harness.Domain+`"`).Replace(headers[name])
		sent := valid(jidOf("pc-a"), "pc-b@"+harness.Domain)
		for g := newGenerator(uint64(i)); len(sent) < perStream; {
			sent = append(sent, g.stanza("pc-b@"+harness.Domain))
		}
		said, received := relay(t, s, header, sent)
		documents, stanzas = append(documents, said, received), append(stanzas, sent...)
	}
	t.Logf("%d stanzas on %d streams", len(stanzas), len(headers))
	var first []string
	forEachParser(t, documents, func(t *testing.T, answers []answer) {
		var all []string
		kept := 0 // by the server, because they are not routable
		for i := 0; i < len(answers); i += 2 {
			for _, item := range answers[i].Items {
				if strings.HasPrefix(strings.ToLower(item.Attrs["{}to"]), "pc-b@") && !routable(item) {
					kept++
				}
			}
			sent, got := fromA(answers[i].Items, true), fromA(answers[i+1].Items, false)
			compare(t, stanzas[len(all):], got, sent)
			all = append(all, got...)
		}
		if len(all)+kept != len(stanzas) || kept > len(stanzas)/5 {
			t.Errorf("%d stanzas arrived of %d, and %d were not to", len(all), len(stanzas), kept)
		}
		if first == nil {
			first = all
		}
		compare(t, stanzas, all, first) // and the parsers agree among each other
	})
}

// relay has one endpoint send the stanzas to another and returns both streams.
func relay(t *testing.T, s *harness.Server, header string, stanzas []string) (said, received []byte) {
	t.Helper()
	a, b := online(t, s, "pc-a", header), online(t, s, "pc-b", plainHeader)
	for batch := range slices.Chunk(stanzas, 25) {
		a.say(strings.Join(batch, ""))
		a.ping()
		b.ping()
	}
	return a.said(), b.received()
}

// routable reports whether a stanza is handed on: no message of type error or groupchat to an account (RFC 6121 section 8.5.2.1.1), and nothing with a stanza in it.
func routable(item node) bool {
	typ, full := item.Attrs["{}type"], strings.Contains(item.Attrs["{}to"], "/")
	if item.Name == "{jabber:client}message" && !full && (typ == "error" || typ == "groupchat") {
		return false
	}
	return !slices.ContainsFunc(item.Inside, holdsStanza)
}

func holdsStanza(n node) bool {
	return slices.Contains([]string{"{jabber:client}message", "{jabber:client}iq", "{jabber:client}presence"}, n.Name) || slices.ContainsFunc(n.Inside, holdsStanza)
}

// fromA returns the canonical form of all stanzas to or from pc-a that are for pc-b; stamp puts the sender's true name on them.
func fromA(items []node, stamp bool) (stanzas []string) {
	for _, item := range items {
		to := strings.ToLower(item.Attrs["{}to"])
		if !strings.HasPrefix(to, "pc-b@") || !stamp && item.Attrs["{}from"] != jidOf("pc-a") || stamp && !routable(item) {
			continue
		}
		if stamp {
			item = item.stamped(jidOf("pc-a"))
		}
		stanzas = append(stanzas, item.String())
	}
	return stanzas
}

// compare fails unless got is want. Each of them is a canonical form of one of the stanzas.
func compare(t *testing.T, stanzas, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("stanza %d, %s\n got %s\nwant %s", i, brief(stanzas[i]), brief(got[i]), brief(want[i]))
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d stanzas, want %d", len(got), len(want))
	}
	if len(got) == 0 {
		t.Fatal("there are no stanzas")
	}
}

func brief(text string) string {
	const most = 1500
	if len(text) > most {
		text = text[:most] + "..."
	}
	return fmt.Sprintf("%q", text)
}
