package signalling

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/xmpp/scan"
)

// part returns the part of docs/PROTOCOL.md that is about signalling.
func part(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "PROTOCOL.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(page), "\n## Remote sessions: signalling\n")
	if !ok {
		t.Fatal("docs/PROTOCOL.md has no part on signalling")
	}
	text, _, _ := strings.Cut(rest, "\n## ")
	return text
}

// blocks returns what stands in the blocks of code of a kind.
func blocks(text, kind string) (all []string) {
	for _, m := range regexp.MustCompile("(?s)```"+kind+"\n(.*?)```").FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

// elements parses the elements of a block, which follow each other.
func elements(t *testing.T, block string) (all []Message) {
	t.Helper()
	st, err := scan.Parse([]byte("<all>"+block+"</all>"), scan.Limits{Bytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for el := range st.Element().Children() {
		m, err := ParseXML(el, anyWay)
		if err != nil {
			t.Fatalf("%s: %v", el.Raw(), err)
		}
		all = append(all, m)
	}
	return all
}

// TestPageExamples: the examples of the page are what is read and written here, the same in both spellings, and there is one of each message.
func TestPageExamples(t *testing.T) {
	text := part(t)
	inJSON, inXML := blocks(text, "json"), blocks(text, "xml")
	if len(inJSON) == 0 || len(inJSON) != len(inXML) {
		t.Fatalf("%d blocks of JSON and %d of XML, want as many", len(inJSON), len(inXML))
	}
	seen := map[string]bool{}
	for i, block := range inJSON {
		var want []Message
		for line := range strings.Lines(block) {
			line = strings.TrimSuffix(line, "\n")
			m, err := ParseJSON([]byte(line), anyWay)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if written, err := AppendJSON(nil, m); err != nil || string(written) != line {
				t.Errorf("the page has\n%s\nand we write\n%s, %v", line, written, err)
			}
			want = append(want, m)
			seen[m.Name()] = true
		}
		if diff := cmp.Diff(want, elements(t, inXML[i])); diff != "" {
			t.Errorf("block %d says different things (-JSON +XML):\n%s", i, diff)
		}
		for _, m := range want {
			if written, err := AppendXML(nil, m); err != nil || !strings.Contains(inXML[i], string(written)) {
				t.Errorf("the page has not\n%s, %v", written, err)
			}
		}
	}
	if len(seen) != len(rows) {
		t.Errorf("examples of %v, want all of %v", seen, Names())
	}
}

// TestPageWays: the table of who says what is that of the code.
func TestPageWays(t *testing.T) {
	messages := map[string]Message{
		"`sdp` (offer)": SDP{Kind: SDPOffer}, "`sdp` (answer)": SDP{Kind: SDPAnswer}, "`relay` (without `url`)": Relay{}, "`relay` (with `url`)": Relay{URL: "u"},
	}
	for _, m := range samples() {
		if _, ok := m.(SDP); ok {
			continue
		}
		if _, ok := m.(Relay); !ok {
			messages["`"+m.Name()+"`"] = m
		}
	}
	_, table, _ := strings.Cut(part(t), "### Who says what")
	table, _, _ = strings.Cut(table, "###")
	rowsSeen := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) < 7 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		name := strings.TrimSpace(cells[1])
		m, ok := messages[name]
		if !ok {
			t.Errorf("the page has a row for %s", name)
			continue
		}
		rowsSeen++
		for i, w := range []Way{FromTechnician, FromEndpoint, ToTechnician, ToEndpoint} {
			if says := strings.TrimSpace(cells[2+i]) == "yes"; says != (Allowed(m, w) == nil) {
				t.Errorf("%s by way %d: the page says %v", name, i, says)
			}
		}
	}
	if rowsSeen != len(messages) {
		t.Errorf("%d rows, want %d", rowsSeen, len(messages))
	}
}

// TestPageCodes: every code stands in the table of errors.
func TestPageCodes(t *testing.T) {
	_, table, _ := strings.Cut(part(t), "### Errors")
	source, err := os.ReadFile("errors.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`Code = "([a-z_]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(codes) < 10 {
		t.Fatalf("codes of errors.go: %v", codes)
	}
	for _, c := range codes {
		if !strings.Contains(table, "`"+c[1]+"`") {
			t.Errorf("docs/PROTOCOL.md does not name the code %s", c[1])
		}
	}
}

// TestPageGrant: the object of the page is one that is opened.
func TestPageGrant(t *testing.T) {
	_, text, _ := strings.Cut(part(t), "### The grant")
	found := blocks(text, "")
	if len(found) == 0 {
		t.Fatal("the page has no grant")
	}
	payload := strings.TrimSpace(found[0])
	g, err := Open(key("server"), sealed(payload), "pc-1@xmpp.example.com", at(0))
	if err != nil {
		t.Fatal(err)
	}
	if written, err := Seal(key("server"), g); err != nil || written != sealed(payload) {
		t.Errorf("we write %s, %v", written, err)
	}
}
