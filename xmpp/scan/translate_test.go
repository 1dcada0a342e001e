package scan

import "testing"

const namespaceOther = "jabber:component:accept"

func TestTranslate(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"nothing declared", "<message to='b'><body>hi</body></message>", "<message to='b'><body>hi</body></message>"},
		{"empty", "<presence/>", "<presence/>"},
		{"declared on top", "<message xmlns='jabber:client'><body/></message>", "<message xmlns='jabber:component:accept'><body/></message>"},
		{"declared in quotes of the other kind", `<message xmlns = "jabber:client" />`, `<message xmlns="jabber:component:accept"/>`},
		{"declared with a reference", "<message xmlns='jabber&#58;client'/>", "<message xmlns='jabber:component:accept'/>"},
		{"declared on a child", "<message><body xmlns='jabber:client' x='1'>t</body >e</message >", "<message><body xmlns='jabber:component:accept' x='1'>t</body >e</message >"},
		{"prefixed", "<c:iq xmlns:c='jabber:client'><c:error/></c:iq>", "<c:iq xmlns:c='jabber:component:accept'><c:error/></c:iq>"},
		{"prefix of the stream", "<message><p:x/></message>", "<message xmlns:p='urn:p'><p:x/></message>"},
		{"a forwarded message stays what it is", "<message><f xmlns='urn:f'><message xmlns='jabber:client'/></f></message>", "<message><f xmlns='urn:f'><message xmlns='jabber:client'/></f></message>"},
		{"other namespaces stay", "<message><x xmlns='urn:x' xmlns:y='urn:y'/></message>", "<message><x xmlns='urn:x' xmlns:y='urn:y'/></message>"},
		{"text that looks like it", "<message><body>xmlns='jabber:client'</body><![CDATA[<a xmlns='jabber:client'/>]]></message>", "<message><body>xmlns='jabber:client'</body><![CDATA[<a xmlns='jabber:client'/>]]></message>"},
		{"an attribute that looks like it", "<message a='jabber:client' p:xmlns='jabber:client'/>", "<message xmlns:p='urn:p' a='jabber:client' p:xmlns='jabber:client'/>"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			st := scanned(t, editHeader, tc.in)
			if got := string(Translate(nil, &st, NamespaceClient, namespaceOther)); got != tc.want {
				t.Errorf("Translate of %s\n got %s\nwant %s", tc.in, got, tc.want)
			}
		})
	}
}

// TestTranslateFromPrefixedStream: a stream that names its content by a prefix.
func TestTranslateFromPrefixedStream(t *testing.T) {
	const header = "<stream:stream xmlns='urn:else' xmlns:c='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'>"
	st := scanned(t, header, "<c:message><c:body/><x/></c:message>")
	const want = "<c:message xmlns='urn:else' xmlns:c='jabber:client'><c:body/><x/></c:message>"
	if got := string(Translate(nil, &st, namespaceOther, NamespaceClient)); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// FuzzTranslate: what comes back after there and back again is the same stanza, unless two namespaces became one on the way.
func FuzzTranslate(f *testing.F) {
	f.Add([]byte("<message xmlns='jabber:client' to='b@x'>a<body xmlns='jabber:client'/><x xmlns:p='jabber:client' p:y='&lt;'/></message>"))
	f.Add([]byte("<c:presence xmlns:c='jabber:client'/>"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		st, err := ParseInStream(raw, Limits{})
		if err != nil {
			return
		}
		wide := Limits{Bytes: 1 << 20, Depth: 256, Attributes: 256, Namespaces: 256}
		out, err := parse(Translate(nil, &st, NamespaceClient, namespaceOther), wide, otherScope)
		if err != nil {
			return // two attributes became one
		}
		back, err := ParseInStream(Translate(nil, &out, namespaceOther, NamespaceClient), wide)
		if err != nil {
			return
		}
		if back.Kind != st.Kind || back.Children != st.Children || string(back.To()) != string(st.To()) || string(back.ID()) != string(st.ID()) {
			t.Errorf("%q became %q and then %q", raw, out.Raw, back.Raw)
		}
		if st.Kind != Nonza && string(out.Namespace()) != namespaceOther {
			t.Errorf("%q became %q of namespace %q", raw, out.Raw, out.Namespace())
		}
	})
}

var otherScope = makeScope([]byte("stream:stream"), []scopeDecl{
	{uri: []byte(namespaceOther)},
	{prefix: []byte("stream"), uri: []byte(NamespaceStreams)},
})
