package scan

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// expatProcess asks expat, through python3, about documents.
type expatProcess struct {
	in  io.WriteCloser
	out io.Reader
}

func requirePython(t *testing.T) {
	t.Helper()
	if err := exec.Command("python3", "-c", "import xml.parsers.expat").Run(); err != nil {
		t.Skipf("LEFT OUT: the comparison with expat: python3 is not installed (Debian package python3): %v", err)
	}
}

func startExpat(t *testing.T) *expatProcess {
	t.Helper()
	requirePython(t)
	cmd := exec.Command("python3", "testdata/expat.py")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("expat.py: %v\n%s", err, complaints.Bytes())
		}
	})
	return &expatProcess{in: in, out: out}
}

// ask returns "R" (refused), "P" (well-formed but no XMPP stream) or "A" and a dump of what lies in the root element.
func (p *expatProcess) ask(t *testing.T, doc []byte) string {
	t.Helper()
	if _, err := p.in.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(doc))), doc...)); err != nil {
		t.Fatal(err)
	}
	var head [4]byte
	if _, err := io.ReadFull(p.out, head[:]); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(p.out, answer); err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// scanDocument answers like expatProcess.ask, with R for everything that is not accepted, and returns the stanzas.
func scanDocument(doc []byte) (string, []Stanza) {
	s := New(Limits{Bytes: 1 << 20, Depth: 100, Attributes: 100, Namespaces: 100})
	answer := "A"
	closed := false
	var stanzas []Stanza
	for rest := doc; len(rest) > 0; {
		ev, n, err := s.Next(rest)
		if err != nil || ev.Kind == NeedMore {
			return "R", nil
		}
		if ev.Kind == TopLevel {
			answer += dumpElement(ev.Stanza.Element())
			stanzas = append(stanzas, ev.Stanza)
		}
		closed = closed || ev.Kind == StreamClose
		rest = rest[n:]
	}
	if !closed {
		return "R", nil
	}
	return answer, stanzas
}

func TestAgreesWithExpatOnTheCorpus(t *testing.T) {
	expat := startExpat(t)
	for _, tt := range corpus {
		doc := wholeInput(tt.input, tt.whole)
		if tt.want == 0 && !tt.pending {
			doc += "</stream:stream>"
		}
		compare(t, expat, []byte(doc))
	}
}

func TestAgreesWithExpatOnGeneratedStreams(t *testing.T) {
	expat := startExpat(t)
	cases := 10000
	if testing.Short() {
		cases = 2000
	}
	g := newGenerator(1)
	accepted := 0
	for range cases {
		if compare(t, expat, g.document()) {
			accepted++
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d streams, %d of them accepted", cases, accepted)
	if accepted < cases/5 || accepted > cases*4/5 {
		t.Errorf("%d of %d streams are accepted, which says little", accepted, cases)
	}
}

// compare demands the same verdict and the same content, and that relayed stanzas mean the same elsewhere.
func compare(t *testing.T, expat *expatProcess, doc []byte) bool {
	t.Helper()
	got, stanzas := scanDocument(doc)
	want := expat.ask(t, doc)
	if want == "P" {
		want = "R"
	}
	if got != want {
		t.Errorf("%q:\nscan  %s\nexpat %s", doc, got, want)
		return false
	}
	for i := range stanzas {
		st := &stanzas[i]
		if got, want := describeFacts(st), walkFacts(st.Element()); got != want {
			t.Errorf("%q in %q: %s, want %s", st.Raw, doc, got, want)
		}
		want := "A" + dumpWithFrom(st.Element(), "a&b/'c")
		for _, wrapped := range [][]byte{
			append(Splice([]byte(openClient), st, "a&b/'c"), "</stream:stream>"...),
			append(SpliceAlone([]byte("<w>"), st, "a&b/'c"), "</w>"...),
		} {
			if got := expat.ask(t, wrapped); got != want {
				t.Errorf("%q spliced as %q:\nscan  %s\nexpat %s", doc, wrapped, want, got)
			}
		}
	}
	return got[0] == 'A'
}

func TestNameCharactersAgreeWithExpat(t *testing.T) {
	requirePython(t)
	if testing.Short() {
		t.Skip("asks expat about each code point")
	}
	out, err := exec.Command("python3", "testdata/expat.py", "names").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for i, first := range []bool{true, false} {
		var got []string
		for c := rune(0x80); c < 0x10800; c++ {
			if !isNameRune(c, first) {
				continue
			}
			lo := c
			for isNameRune(c+1, first) {
				c++
			}
			got = append(got, fmt.Sprintf("%x-%x", lo, c))
		}
		if got := strings.Join(got, " "); got != lines[i] {
			t.Errorf("name characters, first = %t:\n%s, want\n%s", first, got, lines[i])
		}
	}
}
