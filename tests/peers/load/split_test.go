package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// items returns what split finds when the bytes come in pieces of this size, with the kind before each item.
func items(text string, piece int) (found []string) {
	names := map[kind]string{header: "header ", ended: "ended ", message: "message ", iq: "iq ", presence: "presence ", other: "other "}
	var held []byte
	for len(text) > 0 {
		n := min(piece, len(text))
		held, text = append(held, text[:n]...), text[n:]
		for {
			what, item, used := split(held)
			if what == none {
				held = held[used:]
				break
			}
			found = append(found, names[what]+string(item))
			if held = held[used:]; what == ended {
				return found
			}
		}
	}
	return found
}

func TestSplit(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", " \n", nil},
		{"half a tag", "<mess", nil},
		{"half an element", "<message><body>x</body>", nil},
		{"header", "<?xml version='1.0'?><stream:stream id='1'>", []string{"header <stream:stream id='1'>"}},
		{"empty elements", "<presence/><r xmlns='urn:xmpp:sm:3'/>", []string{"presence <presence/>", "other <r xmlns='urn:xmpp:sm:3'/>"}},
		{"names that begin alike", "<iq id='1'><iqx/></iq> <message>a</message>", []string{"iq <iq id='1'><iqx/></iq>", "message <message>a</message>"}},
		{"end", "<a/></stream:stream><b/>", []string{"other <a/>", "ended </stream:stream>"}},
		{"no XML", "<a/>text>", []string{"other <a/>", "ended "}},
		{"no name", "<>x</>", []string{"ended "}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, items(tc.text, len(tc.text))); diff != "" {
				t.Errorf("items(%q): (-want +got)\n%s", tc.text, diff)
			}
		})
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("<?xml version='1.0'?><stream:stream id='1'><iq><query/></iq>\n<r/></stream:stream>", uint8(3))
	f.Add("<>x</>", uint8(1))
	f.Fuzz(func(t *testing.T, text string, piece uint8) {
		if len(text) > 1000 {
			t.Skip("every byte is looked at again with every piece")
		}
		whole, pieces := items(text, max(1, len(text))), items(text, int(piece)+1)
		if diff := cmp.Diff(whole, pieces); diff != "" {
			t.Errorf("items(%q) depends on how the bytes come: (-whole +pieces of %d)\n%s", text, int(piece)+1, diff)
		}
	})
}

func TestAttribute(t *testing.T) {
	for _, tc := range []struct{ item, want string }{
		{"<iq type='result' id='p7'/>", "p7"},
		{`<iq id="p7" type='x'/>`, "p7"},
		{"<iq grid='p7'/>", ""},
		{"<iq id='p7", ""},
	} {
		if got := string(attribute([]byte(tc.item), "id")); got != tc.want {
			t.Errorf("attribute(%q, id) = %q, want %q", tc.item, got, tc.want)
		}
	}
}
