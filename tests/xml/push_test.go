package xml

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"signalbox/tests/harness"
)

// jsonTexts are payloads as a management server may write them.
var jsonTexts = []string{
	`null`, `true`, `0`, `-1.5e+300`, `12345678901234567890.123456789`, `""`, `[]`, `{}`,
	`"quotes \" ' \\ \/ and <markup a='b' c=\"d\"/> &amp; &lt; ]]> <![CDATA[ <!-- <?x?> &#0;"`,
	`"\u0000\u0001\b\t\n\u000b\f\r\u001f\u007f\u0080\u009f"`,
	`"\u2028\u2029\u0085\u00a0\ufeff\ufffd\ufdd0\ufffe\uffff"`,
	"\"raw \u2028\u2029\u0085\u00a0\ufeff\ufffd\ufdd0\x7f\u0080\u009f\"",
	"\"raw \ufffe and \uffff\"", "{\"\ufffe\":[\"\uffff\"]}",
	`"\ud83d\ude00 \udbff\udfff"`, "\"\U0001F600 \U0010FFFF \U0001FFFE\"",
	"\"\u00e9 e\u0301 \u05d0\u0627 \u202e\u200d \u0e01\u0e33\"",
	" {\r\n\t\"a\" : [ 1 , 2 ] ,\n \"b\" : { \"c\" : null }\r} \n",
	`{"":"","a b":"'\"","<":">","&":"&amp;","\u0000":"\u0000"}`,
	strings.Repeat("[", 60) + strings.Repeat("]", 60),
	`"` + strings.Repeat("<", 64<<10-2) + `"`,
	`"` + strings.Repeat("\U0001F600", 16<<10-1) + `"`,
	`[` + strings.Repeat(`"]]>",`, 9000) + `0]`,
}

// randomText is a JSON string of characters that something in between might touch.
func (g *generator) randomText() string {
	var b strings.Builder
	for range 1 + g.IntN(200) {
		switch g.IntN(4) {
		case 0:
			fmt.Fprintf(&b, `\u%04x`, g.IntN(0xD800))
		case 1:
			b.WriteString(pick(g, []string{`\"`, `\\`, `\n`, `\r`, `\t`, `\ufffe`, `\ud83d\ude00`, "\ufffe", "\uffff"}))
		default:
			if r := rune(0x20 + g.IntN(0xD7E0)); r != '"' && r != '\\' {
				b.WriteRune(r)
			}
		}
	}
	return `"` + b.String() + `"`
}

// TestPushesArriveAsTheyWere: the payload that a parser finds in the stream is the one that was submitted.
func TestPushesArriveAsTheyWere(t *testing.T) {
	t.Parallel()
	requirePython(t)
	s := startOpen(t)
	b := online(t, s, "pc-b", plainHeader)
	texts := jsonTexts
	for g := newGenerator(7); len(texts) < 80; {
		texts = append(texts, g.randomText())
	}
	bytes := make([]byte, 3000)
	for i := range bytes {
		bytes[i] = byte(i)
	}
	var ids []string
	for _, text := range texts {
		ids = append(ids, submit(t, s, b, `"type":"demo.text","payload":`+text))
	}
	binary := submit(t, s, b, `"type":"demo.bytes","payload_base64":"`+base64.StdEncoding.EncodeToString(bytes)+`"`)
	forEachParser(t, [][]byte{b.received()}, func(t *testing.T, answers []answer) {
		got := payloadsOf(t, answers[0].Items)
		for i, id := range ids {
			sameJSON(t, got[id], texts[i])
		}
		if data, err := base64.StdEncoding.DecodeString(got[binary]); err != nil || string(data) != string(bytes) {
			t.Errorf("the binary payload is %.200q, %v", got[binary], err)
		}
		if len(got) != len(texts)+1 {
			t.Errorf("%d pushes, want %d", len(got), len(texts)+1)
		}
	})
}

// submit pushes, and has the endpoint take it and say so.
func submit(t *testing.T, s *harness.Server, b *wire, members string) string {
	t.Helper()
	id := s.Submit(t, `{"to":"pc-b",`+members+`}`)
	b.until("id='"+id+"'", "</message>")
	b.say("<message to='" + harness.Domain + "'><received xmlns='urn:xmpp:receipts' id='" + id + "'/></message>")
	return id
}

// payloadsOf returns the text of each push's payload by the push's id.
func payloadsOf(t *testing.T, items []node) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, item := range items {
		push, ok := item.child("{urn:signalbox:push:1}push")
		if !ok {
			continue
		}
		payload, ok := push.child("{urn:xmpp:json:0}json")
		if !ok {
			payload, ok = push.child("{urn:signalbox:push:1}data")
		}
		if !ok || push.Attrs["{}id"] != item.Attrs["{}id"] {
			t.Errorf("a push without payload, or with two ids: %s", brief(item.String()))
		}
		found[item.Attrs["{}id"]] = payload.text()
	}
	return found
}

// sameJSON fails unless two texts are JSON of the same value, numbers digit by digit.
func sameJSON(t *testing.T, got, want string) {
	t.Helper()
	if !reflect.DeepEqual(decode(t, got), decode(t, want)) { // cmp takes minutes for some of them
		t.Errorf("payload %s arrived as %s", brief(want), brief(got))
	}
}

func decode(t *testing.T, text string) (value any) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&value); err != nil {
		t.Errorf("%s: %v", brief(text), err)
	}
	return value
}
