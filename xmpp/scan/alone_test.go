package scan

import "testing"

func TestAppendAlone(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"its own", "<iq><x xmlns='urn:x'/></iq>", "<x xmlns='urn:x'/>"},
		{"default of the stream", "<iq><x><y/></x></iq>", "<x xmlns='jabber:client'><y/></x>"},
		{"default of the stanza", "<iq xmlns='urn:i'><x/></iq>", "<x xmlns='urn:i'/>"},
		{"no namespace", "<iq xmlns=''><x/></iq>", "<x xmlns=''/>"},
		{"prefix of the stream", "<iq><p:x/></iq>", "<p:x xmlns='jabber:client' xmlns:p='urn:p'/>"},
		{"prefix of the stanza hides that of the stream", `<iq xmlns:p="urn:&apos;"><p:x/></iq>`, "<p:x xmlns='jabber:client' xmlns:p='urn:&apos;'/>"},
		{"prefix of an attribute", "<iq><x xmlns='u' p:a='1'/></iq>", "<x xmlns:p='urn:p' xmlns='u' p:a='1'/>"},
		{"prefix of its own", "<iq><p:x xmlns:p='q'/></iq>", "<p:x xmlns='jabber:client' xmlns:p='q'/>"},
		{"prefix that another one ends with", "<iq xmlns:pp='q'><pp:x/></iq>", "<pp:x xmlns='jabber:client' xmlns:pp='q' xmlns:p='urn:p'/>"},
		{"unused prefix", "<iq xmlns:q='q'><x>q</x></iq>", "<x xmlns='jabber:client'>q</x>"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			st := scanned(t, editHeader, tc.in)
			for c := range st.Element().Children() {
				if got := string(c.AppendAlone(nil)); got != tc.want {
					t.Errorf("AppendAlone of %s\n got %s\nwant %s", tc.in, got, tc.want)
				}
			}
		})
	}
	if got := (Element{}).AppendAlone(nil); got != nil {
		t.Errorf("AppendAlone of nothing = %s", got)
	}
}

// FuzzAppendAlone: every element of what was accepted is accepted alone, with the same names all the way down.
func FuzzAppendAlone(f *testing.F) {
	f.Add([]byte("<iq xmlns:q='urn:q'><p:x q:a='&lt;'><q:y xmlns=''><z/></q:y></p:x><x/></iq>"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := New(Limits{})
		if _, _, err := s.Next([]byte(editHeader)); err != nil {
			t.Fatal(err)
		}
		ev, _, err := s.Next(raw)
		if err != nil || ev.Kind != TopLevel {
			t.Skip()
		}
		for c := range ev.Stanza.Element().Children() {
			alone := c.AppendAlone(nil)
			st, err := Parse(alone, Limits{Bytes: 1 << 20, Attributes: 256, Namespaces: 256})
			if err != nil {
				t.Fatalf("%q gives %q: %v", raw, alone, err)
			}
			sameNames(t, c, st.Element())
		}
	})
}

func sameNames(t *testing.T, a, b Element) {
	t.Helper()
	if string(a.Namespace()) != string(b.Namespace()) || string(a.Local()) != string(b.Local()) {
		t.Fatalf("{%s}%s became {%s}%s", a.Namespace(), a.Local(), b.Namespace(), b.Local())
	}
	var children []Element
	for c := range b.Children() {
		children = append(children, c)
	}
	i := 0
	for c := range a.Children() {
		sameNames(t, c, children[i])
		i++
	}
}
