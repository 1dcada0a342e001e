package scan

import "testing"

// editHeader is a stream in which a prefix is declared.
const editHeader = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xmlns:p='urn:p' version='1.0'>"

func scanned(t *testing.T, header, raw string) Stanza {
	t.Helper()
	s := New(Limits{})
	_, n, err := s.Next([]byte(header))
	if err != nil || n != len(header) {
		t.Fatalf("header: %d, %v", n, err)
	}
	ev, _, err := s.Next([]byte(raw))
	if err != nil || ev.Kind != TopLevel {
		t.Fatalf("%s: %v, %v", raw, ev.Kind, err)
	}
	return ev.Stanza
}

func TestEdit(t *testing.T) {
	drop := func(e Element) bool { return e.Is("urn:xmpp:delay", "delay") }
	for _, tc := range []struct {
		name, in string
		edit     Edit
		want     string
	}{
		{"from alone", "<message to='b@x'><body>hi</body></message>", Edit{From: "a@x/r"}, "<message to='b@x' from='a@x/r'><body>hi</body></message>"},
		{"from replaced", `<message from="c@x" to="b@x"/>`, Edit{From: "a@x/r"}, `<message to="b@x" from='a@x/r'/>`},
		{"to set", "<message to='b@x'/>", Edit{From: "a@x/r", To: "b@x/1"}, "<message from='a@x/r' to='b@x/1'/>"},
		{"to added", "<message/>", Edit{From: "a@x/r", To: "a@x"}, "<message from='a@x/r' to='a@x'/>"},
		{"escaped", "<message/>", Edit{From: "a@x/'<"}, "<message from='a@x/&apos;&lt;'/>"},
		{"appended to nothing", "<message/>", Edit{From: "a", Append: []byte("<x/>")}, "<message from='a'><x/></message>"},
		{"appended", "<message >t<y/></message >", Edit{From: "a", Append: []byte("<x/>")}, "<message from='a'>t<y/><x/></message>"},
		{
			"dropped", "<message>a<delay xmlns='urn:xmpp:delay'><x/></delay>b<d:delay xmlns:d='urn:xmpp:delay'/><delay/>c</message>", Edit{From: "a", Drop: drop},
			"<message from='a'>ab<delay/>c</message>",
		},
		{"all dropped", "<message><delay xmlns='urn:xmpp:delay'/></message>", Edit{From: "a", Drop: drop}, "<message from='a'></message>"},
		{"not what stands deeper", "<message><x><delay xmlns='urn:xmpp:delay'/></x></message>", Edit{From: "a", Drop: drop}, "<message from='a'><x><delay xmlns='urn:xmpp:delay'/></x></message>"},
		{"prefix of the stream", "<message><p:x/></message>", Edit{From: "a"}, "<message xmlns:p='urn:p' from='a'><p:x/></message>"},
		{"prefixed stanza", "<c:message xmlns:c='jabber:client'/>", Edit{From: "a", Append: []byte("<x/>")}, "<c:message xmlns:c='jabber:client' from='a'><x/></c:message>"},
		{"CDATA", "<message><![CDATA[<delay/>]]></message>", Edit{From: "a", Drop: drop}, "<message from='a'><![CDATA[<delay/>]]></message>"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			st := scanned(t, editHeader, tc.in)
			if got := string(tc.edit.AppendTo(nil, &st)); got != tc.want {
				t.Errorf("%+v of %s\n got %s\nwant %s", tc.edit, tc.in, got, tc.want)
			}
		})
	}
}

// FuzzEdit: whatever was accepted is accepted after an edit, with the true sender, and the same children.
func FuzzEdit(f *testing.F) {
	f.Add([]byte("<message to='b@x' from='c@x'>a<delay xmlns='urn:xmpp:delay'/><p:x y='&lt;'/></message>"))
	f.Add([]byte("<presence/>"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := New(Limits{})
		if _, _, err := s.Next([]byte(editHeader)); err != nil {
			t.Fatal(err)
		}
		ev, n, err := s.Next(raw)
		if err != nil || ev.Kind != TopLevel || ev.Stanza.Kind == Nonza {
			t.Skip()
		}
		edit := Edit{From: "a@x/r", To: "b@x", Append: []byte("<added xmlns='urn:added'/>"), Drop: func(e Element) bool { return string(e.Local()) == "delay" }}
		out := edit.AppendTo(nil, &ev.Stanza)
		plain := scanned(t, "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>", string(out))
		kept := 0
		for c := range ev.Stanza.Element().Children() {
			if string(c.Local()) != "delay" {
				kept++
			}
		}
		if string(plain.From()) != "a@x/r" || string(plain.To()) != "b@x" || plain.Children != kept+1 || plain.Kind != ev.Stanza.Kind {
			t.Errorf("%q (%d bytes) became %q", raw[:n], n, out)
		}
	})
}
