package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
)

// slowBody is a body whose sender is slower than the server's read deadline.
type slowBody struct{}

func (slowBody) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }
func (slowBody) Close() error             { return nil }

type sample struct {
	Name   string            `json:"name"`
	Count  *int64            `json:"count,omitempty"`
	On     *bool             `json:"on,omitempty"`
	Tags   []string          `json:"tags,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
	Any    json.RawMessage   `json:"any,omitempty"`
	Raw    json.RawMessage   `json:"raw,omitempty"`
}

func TestStrictDecoding(t *testing.T) {
	deep := func(n int) string {
		return `{"any":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
	}
	for _, tt := range []struct {
		name, body string
		code       string // empty: taken
		places     string
	}{
		{"all", `{"name":"x","count":-3,"on":true,"tags":["a"],"labels":{"a":"b"},"any":[1,{"x":null}],"raw":"r"}`, "", ""},
		{"empty object", ` {} `, "", ""},
		{"escaped name", `{"n\u0061me":"x"}`, "", ""},
		{"pair", `{"name":"\ud83d\ude00"}`, "", ""},
		{"huge number", `{"any":1e99999}`, "", ""},
		{"at the depth", deep(63), "", ""},
		{"not JSON", `{`, "malformed_json", ""},
		{"single quotes", `{'name':1}`, "malformed_json", ""},
		{"trailing value", `{} {}`, "malformed_json", ""},
		{"trailing text", `{}x`, "malformed_json", ""},
		{"BOM", "\ufeff{}", "malformed_json", ""},
		{"NUL behind", "{}\x00", "malformed_json", ""},
		{"NaN", `{"any":NaN}`, "malformed_json", ""},
		{"comment", `{}//`, "malformed_json", ""},
		{"trailing comma", `{"name":"x",}`, "malformed_json", ""},
		{"raw control", "{\"name\":\"\x01\"}", "malformed_json", ""},
		{"bad UTF-8", "{\"name\":\"\xff\"}", "malformed_json", ""},
		{"bad UTF-8 in any", "{\"any\":\"\xc0\x80\"}", "malformed_json", ""},
		{"encoded surrogate", "{\"any\":\"\xed\xa0\x80\"}", "malformed_json", ""},
		{"high surrogate", `{"name":"\ud83d"}`, "malformed_json", ""},
		{"low surrogate", `{"name":"\ude00"}`, "malformed_json", ""},
		{"broken pair", `{"any":"\ud83d\u0041"}`, "malformed_json", ""},
		{"half pair at the end", `{"any":"\ud83dx"}`, "malformed_json", ""},
		{"surrogate in a name", `{"any":{"\ud83d":1}}`, "malformed_json", ""},
		{"too deep", deep(64), "malformed_json", ""},
		{"much too deep", deep(9000), "malformed_json", ""},
		{"array", `[]`, "validation_failed", ""},
		{"null", `null`, "validation_failed", ""},
		{"unknown", `{"name":"x","colour":1}`, "validation_failed", "/colour"},
		{"case", `{"Name":"x"}`, "validation_failed", "/Name"},
		{"long s", `{"tagſ":[]}`, "validation_failed", "/tagſ"},
		{"Go name", `{"On":true}`, "validation_failed", "/On"},
		{"empty name", `{"":1}`, "validation_failed", "/"},
		{"duplicate", `{"name":"x","name":"y"}`, "validation_failed", "/name"},
		{"escaped duplicate", `{"name":"x","n\u0061me":"y"}`, "validation_failed", "/name"},
		{"duplicate in any", `{"any":{"a":[{"b":1,"b":2}]}}`, "validation_failed", "/any/a/0/b"},
		{"duplicate in map", `{"labels":{"a":"1","a":"2"}}`, "validation_failed", "/labels/a"},
		{"pointer", `{"a/b~c":1}`, "validation_failed", "/a~1b~0c"},
		{"types", `{"name":1,"count":"1","on":1,"tags":{},"labels":[]}`, "validation_failed", "/name /count /on /tags /labels"},
		{"nulls", `{"name":null,"count":null,"on":null,"tags":null,"labels":null}`, "validation_failed", "/name /count /on /tags /labels"},
		{"inner types", `{"tags":["a",1],"labels":{"a":1}}`, "validation_failed", "/tags/1 /labels/a"},
		{"fraction", `{"count":1.0}`, "validation_failed", "/count"},
		{"exponent", `{"count":1e2}`, "validation_failed", "/count"},
		{"overflow", `{"count":9223372036854775808}`, "validation_failed", "/count"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var v sample
			p := decodeStrict([]byte(tt.body), &v)
			var code string
			var places []string
			if p != nil {
				code = p.Code
				for _, e := range p.Errors {
					if e.Pointer != "" {
						places = append(places, e.Pointer)
					}
				}
			}
			if code != tt.code || strings.Join(places, " ") != tt.places {
				t.Errorf("decodeStrict(%.80s) = %q at %q, want %q at %q", tt.body, code, places, tt.code, tt.places)
			}
		})
	}
}

func TestStrictDecodingIsBounded(t *testing.T) {
	var v sample
	p := decodeStrict([]byte(`{"any":{`+strings.Repeat(`"`+strings.Repeat("n", 300)+`":1,`, 500)+`"z":1}}`), &v)
	if p == nil || len(p.Errors) != maxFieldErrors {
		t.Fatalf("problem = %+v", p)
	}
	if n := len(p.Errors[0].Pointer); n > maxPointer+20 {
		t.Errorf("a pointer of %d bytes", n)
	}
}

func TestMediaTypes(t *testing.T) {
	w := newWorld(t, Default())
	for _, tt := range []struct {
		headers []string
		ok      bool
	}{
		{[]string{"Content-Type", "application/json"}, true},
		{[]string{"Content-Type", "Application/JSON; charset=UTF-8"}, true},
		{[]string{"Content-Type", ""}, false},
		{[]string{"Content-Type", "text/json"}, false},
		{[]string{"Content-Type", "application/json; charset=latin1"}, false},
		{[]string{"Content-Type", "application/merge-patch+json"}, false},
		{[]string{"Content-Type", "application/x-www-form-urlencoded"}, false},
		{[]string{"Content-Encoding", "gzip"}, false},
	} {
		a := w.do("POST", "/v1/endpoints", `{}`, tt.headers...)
		if tt.ok {
			a.want(validationFailed, "/id")
			continue
		}
		a.want(unsupportedMediaType)
	}
	w.do("POST", "/v1/endpoints", "", "Content-Type", "application/json").want(malformedJSON)
	w.do("POST", "/v1/endpoints", " ", "Content-Type", "application/json").want(malformedJSON)
	w.do("GET", "/v1/endpoints", "", "Accept", "application/xml").ok(http.StatusOK)
}

// FuzzDecodeStrict checks that whatever is taken is also taken by encoding/json at its strictest, and reads the same when it is written and read again.
func FuzzDecodeStrict(f *testing.F) {
	for _, seed := range []string{
		`{"name":"x","count":1,"on":false,"tags":["a"],"labels":{"a":"b"},"any":{"a":[1,2.5e3,null,true,"\u00e9\ud83d\ude00"]},"raw":[]}`,
		`{"Name":"x"}`, `{"any":{"a":1,"a":2}}`, `[[[[`, `{"name":"\ud800"}`, `{"any":"\\\"\\u"}`, "\xff", `{"count":-0}`, `{"a/b":{}}`, ` {"on" : true , "tags" : [ ] } `,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v sample
		if p := decodeStrict(data, &v); p != nil {
			if p.Status != malformedJSON.status && p.Status != validationFailed.status {
				t.Errorf("status %d", p.Status)
			}
			return
		}
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(new(sample)); err != nil {
			t.Fatalf("taken, though encoding/json says: %v", err)
		}
		again, err := json.Marshal(v)
		if err != nil {
			t.Fatalf("what was taken cannot be written: %v", err)
		}
		var second sample
		if p := decodeStrict(again, &second); p != nil {
			t.Fatalf("%s was made from what was taken and is refused: %+v", again, p)
		}
		if third, err := json.Marshal(second); err != nil || !bytes.Equal(again, third) {
			t.Errorf("%s became %s, %v", again, third, err)
		}
	})
}

const typicalPush = `{"to":"pc-1","type":"policy.refresh","payload":{"policy":"base","version":42,"urls":["a","b"]},"ttl":3600,"ack":"handled"}`

// TestDecodingAllocates bounds what reading a request for a push costs beside storing it.
func TestDecodingAllocates(t *testing.T) {
	const bound = 30
	got := testing.AllocsPerRun(100, func() {
		var v pushCreate
		if p := decodeStrict([]byte(typicalPush), &v); p != nil {
			t.Fatal(p)
		}
	})
	if got > bound {
		t.Errorf("%v allocations, at most %d are expected", got, bound)
	}
}

func BenchmarkDecodeStrict(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		var v pushCreate
		if p := decodeStrict([]byte(typicalPush), &v); p != nil {
			b.Fatal(p)
		}
	}
}
