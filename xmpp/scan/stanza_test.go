package scan

import (
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
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

func TestFacts(t *testing.T) {
	type facts struct {
		Kind                                      StanzaKind
		Children                                  int
		Inherits, Streams, Nested, NeedsRedeclare bool
	}
	tests := []struct {
		name, in string
		want     facts
	}{
		{"message", `<message><body/></message>`, facts{Kind: Message, Children: 1, Inherits: true}},
		{"own default namespace", `<message xmlns='jabber:client'><body/></message>`, facts{Kind: Message, Children: 1}},
		{"only children inherit", `<c:iq xmlns:c='jabber:client'><a/><b/></c:iq>`, facts{Kind: IQ, Children: 2, Inherits: true}},
		{"nothing inherited", `<c:iq xmlns:c='jabber:client'><c:a/></c:iq>`, facts{Kind: IQ, Children: 1}},
		{"inherits behind a declaration", `<c:iq xmlns:c='jabber:client'><a xmlns='u'/><b/></c:iq>`, facts{Kind: IQ, Children: 2, Inherits: true}},
		{"other namespace", `<message xmlns='jabber:server'/>`, facts{Kind: Nonza}},
		{"escaped namespace", `<presence xmlns='jabber:&#99;lient'/>`, facts{Kind: Presence}},
		{"grandchildren do not count", `<iq><a><b/><c/></a></iq>`, facts{Kind: IQ, Children: 1, Inherits: true}},
		{"other name", `<messages/>`, facts{Inherits: true}},
		{"streams element at the top", `<stream:error/>`, facts{NeedsRedeclare: true}},
		{"streams element below", `<message><stream:error/></message>`, facts{Kind: Message, Children: 1, Inherits: true, Streams: true, NeedsRedeclare: true}},
		{"streams element by default namespace", `<message><x><stream xmlns='http://etherx.jabber.org/streams'/></x></message>`, facts{Kind: Message, Children: 1, Inherits: true, Streams: true}},
		{"prefix of an attribute", `<message><x j:a=''/></message>`, facts{Kind: Message, Children: 1, Inherits: true, NeedsRedeclare: true}},
		{"prefix declared again", `<message><x xmlns:j='u' j:a=''/></message>`, facts{Kind: Message, Children: 1, Inherits: true}},
		{"nested stanza", `<message><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'/></forwarded></message>`, facts{Kind: Message, Children: 1, Inherits: true, Nested: true}},
		{"nested stanza inherits", `<message><presence/></message>`, facts{Kind: Message, Children: 1, Inherits: true, Nested: true}},
		{"nested namesake", `<message><iq xmlns='u'/></message>`, facts{Kind: Message, Children: 1, Inherits: true}},
		{"back in the default namespace", `<message><x xmlns='u'/><y/></message>`, facts{Kind: Message, Children: 2, Inherits: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st := scanOne(t, openWithPrefix, tt.in)
			got := facts{st.Kind, st.Children, st.InheritsDefault, st.HasStreams, st.NestedStanza, st.NeedsRedeclare()}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("%q (-want +got):\n%s", tt.in, d)
			}
		})
	}
}

func TestAttributes(t *testing.T) {
	st := scanOne(t, openWithPrefix, `<iq to='' j:from='x' id='a&#x9;b'`+"\r\n"+`type="g&#101;t" xml:lang='de&amp;'/>`)
	if got := st.To(); got == nil || len(got) > 0 {
		t.Errorf("To() = %v, want an empty value that is there", got)
	}
	if got := st.From(); got != nil {
		t.Errorf("From() = %q, want nil", got)
	}
	if id, typ, lang := st.ID(), st.Type(), st.Lang(); string(id) != "a\tb" || string(typ) != "get" || string(lang) != "de&" {
		t.Errorf("ID, Type, Lang = %q, %q, %q", id, typ, lang)
	}
	st = scanOne(t, openClient, "<a from='x\r\ny\tz'/>")
	if got := string(st.From()); got != "x y z" {
		t.Errorf("From() = %q, want white space normalised", got)
	}
	if st.ChildLocal() != nil || st.ChildNamespace() != nil || st.ChildIs("", "") {
		t.Error("there is a first child")
	}
}

func TestCloneOutlivesTheBuffer(t *testing.T) {
	s := openScanner(t)
	buf := []byte(ping)
	ev, _, err := s.Next(buf)
	if err != nil {
		t.Fatal(err)
	}
	c := ev.Stanza.Clone()
	clear(buf)
	if got := c.Element().Child("urn:xmpp:ping", "ping"); !got.Exists() || string(c.ID()) != "p-00001" || string(c.Raw) != ping {
		t.Errorf("the clone changed: %q", c.Raw)
	}
}

func TestEscapedNamespacesOutliveTheNextElement(t *testing.T) {
	s := openScanner(t)
	first, _, err := s.Next([]byte(`<a xmlns='urn:&#49;'><b xmlns='urn:&#50;'/></a>`))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Next([]byte(`<a xmlns='xxx&#49;'><b xmlns='xxx&#50;'/></a>`)); err != nil {
		t.Fatal(err)
	}
	if st := &first.Stanza; !st.Is("urn:1", "a") || !st.ChildIs("urn:2", "b") {
		t.Errorf("namespaces %q and %q", st.Namespace(), st.ChildNamespace())
	}
}

func TestZeroViews(t *testing.T) {
	var st Stanza
	e := st.Element()
	if _, ok := e.Attr("a"); ok || e.Exists() || e.Text() != "" || len(e.Raw())+len(e.Inner())+len(e.Local())+len(e.Namespace()) > 0 {
		t.Errorf("the zero element has something: %+v", e)
	}
	for range e.Children() {
		t.Error("the zero element has a child")
	}
	if st.Is("", "x") || st.To() != nil || len(st.Local())+len(st.Namespace()) > 0 {
		t.Error("the zero stanza has something")
	}
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

func TestRestate(t *testing.T) {
	for _, tt := range []struct{ name, header, in, alone, client string }{
		{"inherits", openClient, `<message to='b'><body/></message>`, `<message xmlns='jabber:client' to='b'><body/></message>`, `<message to='b'><body/></message>`},
		{"stands alone", openClient, `<a xmlns='u'/>`, `<a xmlns='u'/>`, `<a xmlns='u'/>`},
		{"prefix of the header", openWithPrefix, `<k:a xml:lang='x'/>`, `<k:a xmlns:k='urn:k&amp;' xml:lang='x'/>`, `<k:a xmlns:k='urn:k&amp;' xml:lang='x'/>`},
		{"no namespace", `<s>`, `<a><b/></a>`, `<a><b/></a>`, `<a xmlns=''><b/></a>`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st := scanOne(t, tt.header, tt.in)
			for receiver, want := range map[string]string{"": tt.alone, NamespaceClient: tt.client} {
				if got := string(Restate(nil, &st, receiver)); got != want {
					t.Errorf("Restate(%q, %q) =\n%s, want\n%s", tt.in, receiver, got, want)
				}
			}
		})
	}
}

func TestElement(t *testing.T) {
	st := scanOne(t, openWithPrefix, `<message xmlns:l='urn:l'>t1<body>a&lt;<![CDATA[&lt;]]>`+"\r\n"+`<i>no</i>b</body><j:a xmlns1j='no' id='x&#9;y' l:id='2'/><l:b><c xmlns=''/></l:b><d xml:lang='en'/></message>`)
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

// TestAttributesOfAnElement: all but declarations of namespaces, in order, with the values that Attr gives.
func TestAttributesOfAnElement(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"none", `<iq/>`, ""},
		{"several", `<iq id = "&lt;1" type='a"b' to=''/>`, `id=<1 type=a"b to= `},
		{"declarations between", `<iq xmlns='jabber:client' id='1' xmlns:p='u' p:a='2' xmlnsx='3' xml:lang='en'/>`, "id=1 p:a=2 xmlnsx=3 xml:lang=en "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st := scanOne(t, openWithPrefix, tt.in)
			got := ""
			for name, value := range st.Element().Attributes() {
				got += string(name) + "=" + string(value) + " "
			}
			if got != tt.want {
				t.Errorf("Attributes of %s = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
	for name := range (Element{}).Attributes() {
		t.Errorf("no element has the attribute %s", name)
	}
	st := scanOne(t, openWithPrefix, `<iq id='1' to='2'/>`)
	for name := range st.Element().Attributes() { // who has seen enough may stop
		if string(name) != "id" {
			t.Errorf("%s came after the end", name)
		}
		break
	}
}
