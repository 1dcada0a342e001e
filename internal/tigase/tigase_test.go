package tigase

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"signalbox/internal/push"
	"signalbox/xmpp/scan"
)

const domain = "example.test"

func handler() *Handler { return New(Deps{Domain: domain}, zap.NewNop()) }

func TestShapes(t *testing.T) {
	tree := object{{"command", object{
		{"text", "a<b & \"c\"\x01\uffff"}, {"none", nil}, {"yes", true}, {"n", 7}, {"empty", []any{}},
		{"list", []any{"x", object{{"var", "y"}}}},
	}}}
	if got, want := string(appendXML(nil, tree)), "<command><text>a&lt;b &amp; \"c\"\ufffd\ufffd</text><none></none><yes>true</yes><n>7</n><empty></empty>"+
		"<list><item>x</item><item><var>y</var></item></list></command>"; got != want {
		t.Errorf("XML %s\nwant %s", got, want)
	}
	text := appendJSON(nil, tree)
	if got, want := string(text), `{"command":{"text":"a<b & \"c\"\u0001`+"\uffff"+`","none":null,"yes":true,"n":7,"empty":[],"list":["x",{"var":"y"}]}}`; got != want || !json.Valid(text) {
		t.Errorf("JSON %s\nwant %s", got, want)
	}
}

func TestFormats(t *testing.T) {
	for _, tt := range []struct {
		name, content, param, accept string
		want                         format
	}{
		{"nothing", "", "", "", formatXML},
		{"a browser", "", "", "text/html,application/xhtml+xml,*/*", formatXML},
		{"body of JSON", "application/json; charset=utf-8", "", "*/*", formatJSON},
		{"body of XML", "text/xml", "", "application/json", formatXML},
		{"parameter", "", "application/json", "", formatJSON},
		{"header", "", "", "application/json", formatJSON},
		{"header with both", "", "", "application/xml, application/json", formatXML},
		{"a form", "application/x-www-form-urlencoded", "", "application/json", formatJSON},
	} {
		r := httptest.NewRequest(http.MethodPost, "/rest/user/a?type="+tt.param, nil)
		r.Header.Set("Content-Type", tt.content)
		r.Header.Set("Accept", tt.accept)
		if got := formatOf(r); got != tt.want {
			t.Errorf("%s: format %d, want %d", tt.name, got, tt.want)
		}
	}
}

// TestBodies: what says the same in XML and in JSON is the same here.
func TestBodies(t *testing.T) {
	want := map[string]any{"node": "n", "fields": []any{
		map[string]any{"var": "a", "value": "1"}, map[string]any{"var": "b", "value": []any{"2", "3"}}, map[string]any{"var": "c", "value": ""},
	}}
	fromXML, err := decodeXML([]byte(" <command>\n<node>n</node><fields> <item><var>a</var><value>1</value></item>"+
		"<item><var>b</var><value><item>2</item><item>3</item></value></item><item><var>c</var><value/></item></fields></command>"), "command")
	if diff := cmp.Diff(want, fromXML); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	fromJSON, err := decodeJSON([]byte(`{"command":{"node":"n","fields":[{"var":"a","value":"1"},{"var":"b","value":["2","3"]},{"var":"c","value":""}]}}`), "command")
	if diff := cmp.Diff(want, fromJSON); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	twice, err := decodeXML([]byte("<command><value>2</value><value>3</value></command>"), "command")
	if diff := cmp.Diff(map[string]any{"value": []any{"2", "3"}}, twice); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	filled, err := readFields([]any{map[string]any{"var": "n", "value": 25.0}, map[string]any{"var": "b", "value": true}, map[string]any{"var": "none", "value": nil}})
	if diff := cmp.Diff(map[string][]string{"n": {"25"}, "b": {"true"}, "none": nil}, filled); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestRoutes(t *testing.T) {
	h := handler()
	for _, tt := range [][3]string{
		{"POST", "/rest/stream/", "/rest/stream/{to...}"}, {"POST", "/rest/stream", "/rest/stream"}, {"GET", "/rest/stream", "/rest"},
		{"DELETE", "/rest/user/a@b", "/rest/user/{jid}"}, {"GET", "/rest/users/", "/rest/users/{$}"}, {"GET", "/rest/users/x", "/rest/users/{domain}"},
		{"GET", "/rest/secret-in-a-path", "/rest"}, {"GET", "/rest", "/rest"},
	} {
		if got := h.Route(httptest.NewRequest(tt[0], tt[1], nil)); got != tt[2] {
			t.Errorf("%s %s is %q, want %q", tt[0], tt[1], got, tt[2])
		}
	}
}

// FuzzStanza: what is taken reaches a stream as one stanza of the same kind, from the server, to whom it was meant for, and no other bytes reach anybody.
func FuzzStanza(f *testing.F) {
	for _, text := range []string{
		"<message to='a@example.test'><body>x</body></message>", "<iq type='get' id='1' to='example.test'><ping xmlns='urn:xmpp:ping'/></iq>", "<presence to='a@example.test/r'/>",
		"<?xml version='1.0' encoding='UTF-8'?>\n<message xmlns='jabber:client' from='example.test' to='a@example.test' id='&lt;'/>", "<m:message xmlns:m='jabber:client' to='a'/>",
		"<message to='a'><a/></message><message/>", "<!DOCTYPE a><message to='a'/>", "<message to='a'><![CDATA[<]]></message>", "<message to='a' from='b'/>", "<message xmlns:x='y' x:to='a'/>",
	} {
		f.Add([]byte(text), "")
		f.Add([]byte(text), "b@example.test")
	}
	h := handler()
	f.Fuzz(func(t *testing.T, body []byte, to string) {
		if strings.ContainsFunc(to, func(r rune) bool { return r < ' ' || r >= 0xd800 }) {
			return // no path of a URL that comes here has them
		}
		el, err := h.readStanza(body, to)
		if err != nil {
			return
		}
		if string(el.From()) != domain || to != "" && string(el.To()) != to || len(el.To()) == 0 || el.Kind == scan.Nonza || el.HasStreams {
			t.Fatalf("%q became %q", body, el.Raw)
		}
		wire := scan.Edit{From: domain, To: "a@" + domain}.AppendTo(nil, &el)
		name, xml := push.Push{Payload: push.MessagePayload(string(el.ID()), wire)}.SplitMessage()
		again, err := scan.ParseInStream(xml, scan.Accepted)
		if err != nil || again.Kind != el.Kind || string(again.ID()) != name || string(again.To()) != "a@"+domain || again.Children != el.Children {
			t.Fatalf("%q became %q: %v", body, xml, err)
		}
		if el.ID() == nil {
			named, err := scan.ParseInStream(withID(el.Raw), scan.Accepted)
			if err != nil || named.ID() == nil || named.Kind != el.Kind {
				t.Fatalf("%q with an id: %v", el.Raw, err)
			}
		}
	})
}

// FuzzBody: nothing that somebody sends as XML or JSON is more than an error.
func FuzzBody(f *testing.F) {
	for _, text := range []string{
		"<command><node>n</node><fields><item><var>a</var><value/></item></fields></command>", `{"command":{"node":"n","fields":[{"var":"a","value":["b"]}]}}`, "<user/>", `{"password":"x"}`, "{}", "[]", "null",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(_ *testing.T, body []byte) {
		for _, decode := range []func([]byte, string) (map[string]any, error){decodeXML, decodeJSON} {
			if m, err := decode(body, "command"); err == nil {
				_, _ = readFields(m["fields"])
			}
		}
	})
}
