package scan

import "testing"

func TestEscapedTextReadsBackUnchanged(t *testing.T) {
	for _, s := range []string{"", "plain", "a<b>&'\"c", "]]>", "\t\n\r\n\r", "\u00fc\U0001F600", "&amp;", " "} {
		st := scanOne(t, openClient, `<a v='`+string(AppendEscaped(nil, s))+`' w="`+string(AppendEscaped(nil, []byte(s)))+`">`+
			string(AppendEscaped(nil, s))+`<b>`+string(AppendText(nil, s))+`</b></a>`)
		e := st.Element()
		v, _ := e.Attr("v")
		w, _ := e.Attr("w")
		if string(v) != s || string(w) != s || e.Text() != s {
			t.Errorf("%q reads back as %q, %q, %q", s, v, w, e.Text())
		}
		if got := e.Child(NamespaceClient, "b").Text(); got != s {
			t.Errorf("AppendText(%q) reads back as %q", s, got)
		}
	}
	if got := string(AppendText([]byte("x"), "a\n\t\r")); got != "xa\n\t&#13;" {
		t.Errorf("AppendText = %q", got)
	}
}

func TestValidText(t *testing.T) {
	for s, want := range map[string]bool{
		"": true, "a\t\n\r": true, "\u00fc\uFFFD\U0010FFFF": true, "\x7f\u0085": true,
		"\x00": false, "a\x1F": false, "\x0B": false, "\uFFFE": false, "x\uFFFF": false,
		"\xFF": false, "\xC3": false, "\xC0\xBC": false, "\xED\xA0\x80": false, "\xF4\x90\x80\x80": false, "a\xE2\x82": false,
	} {
		if got := ValidText(s); got != want {
			t.Errorf("ValidText(%q) = %t, want %t", s, got, want)
		}
		if got := ValidText([]byte(s)); got != want {
			t.Errorf("ValidText([]byte(%q)) = %t, want %t", s, got, want)
		}
	}
}
