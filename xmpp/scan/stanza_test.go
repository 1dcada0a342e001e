package scan

import (
	"testing"
	"unsafe"
)

const ping = `<iq from='laptop-0042@example.com/agent' to='example.com' id='p-00001' type='get'><ping xmlns='urn:xmpp:ping'/></iq>`

// scanOne returns the only top-level element behind the stream header.
func scanOne(t testing.TB, header, in string) Stanza {
	t.Helper()
	s := New(Limits{})
	_, n, err := s.Next([]byte(header))
	if err != nil || n != len(header) {
		t.Fatalf("header: n = %d, %v", n, err)
	}
	ev, n, err := s.Next([]byte(in))
	if err != nil || ev.Kind != TopLevel || n != len(in) {
		t.Fatalf("Next(%q) = %v, %d, %v", in, ev.Kind, n, err)
	}
	return ev.Stanza
}

const openWithPrefix = `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xmlns:j='urn:j' xmlns:k='urn:k&amp;' version='1.0'>`

func TestSplice(t *testing.T) {
	tests := []struct{ name, header, in, want, alone string }{
		{
			name: "replaced", header: openClient,
			in:    `<message to='b' from = "evil@x" id='1'><body/></message>`,
			want:  `<message to='b' from='a@x/&apos;' id='1'><body/></message>`,
			alone: `<message xmlns='jabber:client' to='b' from='a@x/&apos;' id='1'><body/></message>`,
		},
		{
			name: "inserted", header: openClient,
			in:    `<presence/>`,
			want:  `<presence from='a@x/&apos;'/>`,
			alone: `<presence xmlns='jabber:client' from='a@x/&apos;'/>`,
		},
		{
			name: "stands alone already", header: openWithPrefix,
			in:    `<message xmlns='jabber:client' x:from='1' xmlns:x='u'/>`,
			want:  `<message from='a@x/&apos;' xmlns='jabber:client' x:from='1' xmlns:x='u'/>`,
			alone: `<message from='a@x/&apos;' xmlns='jabber:client' x:from='1' xmlns:x='u'/>`,
		},
		{
			name: "prefix of the header", header: openWithPrefix,
			in:    `<message><k:x/></message>`,
			want:  `<message xmlns:k='urn:k&amp;' from='a@x/&apos;'><k:x/></message>`,
			alone: `<message xmlns='jabber:client' xmlns:k='urn:k&amp;' from='a@x/&apos;'><k:x/></message>`,
		},
		{
			name: "other default namespace", header: `<s:stream xmlns='urn:other' xmlns:c='jabber:client' xmlns:s='http://etherx.jabber.org/streams'>`,
			in:    `<c:message><x/></c:message>`,
			want:  `<c:message xmlns='urn:other' xmlns:c='jabber:client' from='a@x/&apos;'><x/></c:message>`,
			alone: `<c:message xmlns='urn:other' xmlns:c='jabber:client' from='a@x/&apos;'><x/></c:message>`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st := scanOne(t, tt.header, tt.in)
			if got := string(Splice(nil, &st, "a@x/'")); got != tt.want {
				t.Errorf("Splice(%q) =\n%s, want\n%s", tt.in, got, tt.want)
			}
			if got := string(SpliceAlone(nil, &st, "a@x/'")); got != tt.alone {
				t.Errorf("SpliceAlone(%q) =\n%s, want\n%s", tt.in, got, tt.alone)
			}
		})
	}
}

func TestElement(t *testing.T) {
	st := scanOne(t, openWithPrefix, `<message xmlns:l='urn:l'>t1<body>a&lt;<![CDATA[&lt;]]>`+"\r\n"+`<i>no</i>b</body><j:a id='x&#9;y' l:id='2'/><l:b><c xmlns=''/></l:b><d xml:lang='en'/></message>`)
	e := st.Element()
	if got := string(e.Child("jabber:client", "body").Text()); got != "a<&lt;\nb" {
		t.Errorf("Text() = %q", got)
	}
	a := e.Child("urn:j", "a")
	if v, ok := a.Attr("id"); !ok || string(v) != "x\ty" {
		t.Errorf("Attr(id) = %q, %t", v, ok)
	}
	if _, ok := a.Attr("nothing"); ok {
		t.Error("Attr(nothing) is there")
	}
	b := e.Child("urn:l", "b")
	if !b.Child("", "c").Exists() || b.Child("jabber:client", "c").Exists() {
		t.Errorf("children of %q", b.Raw())
	}
	if got := string(b.Inner()); got != `<c xmlns=''/>` {
		t.Errorf("Inner() = %q", got)
	}
	if v, _ := e.Child("jabber:client", "d").Attr("xml:lang"); string(v) != "en" {
		t.Errorf("Attr(xml:lang) = %q", v)
	}
	none := e.Child("urn:none", "none")
	if none.Exists() || none.Text() != "" || len(none.Local())+len(none.Namespace())+len(none.Inner()) > 0 {
		t.Errorf("an absent child: %+v", none)
	}
}

func TestScanningAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool allocate")
	}
	s := openScanner(t)
	in := []byte(ping)
	dst := make([]byte, 0, 1024)
	allocs := testing.AllocsPerRun(1000, func() {
		ev, _, err := s.Next(in)
		if err != nil || ev.Kind != TopLevel || !ev.Stanza.ChildIs("urn:xmpp:ping", "ping") {
			t.Fatal(ev.Kind, err)
		}
		dst = Splice(dst[:0], &ev.Stanza, "a@example.com/b")
	})
	if allocs != 0 {
		t.Errorf("scan and splice allocate %v times, want 0", allocs)
	}
}

func TestIdleScannerIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Scanner{}); size > 96 {
		t.Errorf("a Scanner has %d bytes, want at most 96", size)
	}
	s := New(Limits{})
	if _, err := drain(&s, []byte(openClient+ping)); err != nil {
		t.Fatal(err)
	}
	if s.work != nil || s.scope != clientScope {
		t.Error("an idle scanner of an ordinary client holds memory of its own")
	}
}
