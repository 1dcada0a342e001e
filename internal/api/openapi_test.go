package api

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

// document is what the server hands out, read back.
func document(t *testing.T, w *world) map[string]any {
	t.Helper()
	return w.send(request("GET", "/openapi.json", "", "")).ok(http.StatusOK).json()
}

func TestOpenAPIDocument(t *testing.T) {
	w := newWorld(t, Default())
	doc := document(t, w)
	if doc["openapi"] != "3.1.0" {
		t.Errorf("openapi = %v", doc["openapi"])
	}
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range regexp.MustCompile(`"\$ref":"#/components/schemas/([^"]*)"`).FindAllStringSubmatch(string(text), -1) {
		if _, ok := doc["components"].(map[string]any)["schemas"].(map[string]any)[ref[1]]; !ok {
			t.Errorf("reference to %s, which is not there", ref[1])
		}
	}
	for _, foreign := range []string{"ErrorModel", "ErrorDetail", "$schema", "octet-stream"} {
		if strings.Contains(string(text), foreign) {
			t.Errorf("the document speaks of %s", foreign)
		}
	}
}

// TestEveryOperationIsDocumented compares the document with the mux: each operation is served, has a name and a summary, and names the errors of its sort.
func TestEveryOperationIsDocumented(t *testing.T) {
	w := newWorld(t, Default())
	for path := range w.srv.api.OpenAPI().Paths {
		for _, method := range []string{"GET", "POST", "PATCH", "DELETE"} {
			op := operation(w.srv.api.OpenAPI(), method, path)
			concrete := strings.NewReplacer("{id}", "x", "{name}", "x").Replace(path)
			served := w.srv.template(request(method, concrete, "", "")) == path
			if served != (op != nil) {
				t.Errorf("%s %s: served %v, documented %v", method, path, served, op != nil)
			}
			if op == nil {
				continue
			}
			if op.OperationID == "" || op.Summary == "" || len(op.Tags) != 1 {
				t.Errorf("%s %s has no name, summary or tag", method, path)
			}
			want := []string{internalError.code}
			if path != live {
				want = append(want, sourceNotAllowed.code, busy.code)
			}
			if op.Security != nil {
				want = append(want, missingToken.code, invalidToken.code, insufficientScope.code)
			}
			if op.RequestBody != nil {
				want = append(want, malformedJSON.code, payloadTooLarge.code, unsupportedMediaType.code, requestTimeout.code, validationFailed.code)
			}
			for _, code := range want {
				if !slices.Contains(documentedCodes(op), code) {
					t.Errorf("%s %s does not document %s", method, path, code)
				}
			}
		}
	}
}

func documentedCodes(op *huma.Operation) []string {
	var codes []string
	for _, r := range op.Responses {
		if content := r.Content[problemType]; content != nil {
			for code := range content.Examples {
				codes = append(codes, code)
			}
		}
	}
	return codes
}

// TestExamplesFit sends no request: what the document shows must fit what it says.
func TestExamplesFit(t *testing.T) {
	w := newWorld(t, Default())
	schemas := w.srv.api.OpenAPI().Components.Schemas
	n := 0
	for path, item := range w.srv.api.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Post, item.Patch} {
			if op == nil || op.RequestBody == nil {
				continue
			}
			n++
			content := op.RequestBody.Content["application/json"]
			example, err := json.Marshal(content.Example)
			if err != nil || content.Example == nil {
				t.Errorf("%s has no example of its body: %v", path, err)
				continue
			}
			validate(t, schemas, content.Schema, example)
		}
	}
	if n < 4 {
		t.Errorf("%d operations with a body", n)
	}
}

// TestSchemaAgreesWithDecoder: a body that the schema refuses is refused by the server too.
func TestSchemaAgreesWithDecoder(t *testing.T) {
	w := pushWorld(t)
	for _, tt := range []struct{ path, body string }{
		{"/v1/endpoints", `{"id":"UPPER"}`}, {"/v1/endpoints", `{"id":"x","extra":1}`}, {"/v1/endpoints", `{"id":"x","secret":"short"}`},
		{"/v1/pushes", `{"type":"a"}`}, {"/v1/pushes", `{"to":1,"type":"a"}`}, {"/v1/pushes", `{"to":"pc-1","type":"a","ttl":2419201}`},
		{"/v1/pushes", `{"to":"pc-1","type":"a","ack":"x"}`}, {"/v1/pushes", `{"to":"pc-1","type":""}`},
		{"/v1/tokens", `{"name":"x"}`}, {"/v1/tokens", `{"name":"x","scopes":["root"]}`}, {"/v1/tokens", `{"name":"","scopes":["read"]}`},
	} {
		schema := operation(w.srv.api.OpenAPI(), "POST", tt.path).RequestBody.Content["application/json"].Schema
		var v any
		if err := json.Unmarshal([]byte(tt.body), &v); err != nil {
			t.Fatal(err)
		}
		var res huma.ValidateResult
		huma.Validate(w.srv.api.OpenAPI().Components.Schemas, schema, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, v, &res)
		if len(res.Errors) == 0 {
			t.Errorf("%s: the schema takes %s", tt.path, tt.body)
		}
		if a := w.do("POST", tt.path, tt.body); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: the server answers %s with %d", tt.path, tt.body, a.status)
		}
	}
}

func TestDocsLoadNothingFromOutside(t *testing.T) {
	w := newWorld(t, Default())
	page := w.send(request("GET", "/docs", "", ""))
	if csp := page.header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'self';") {
		t.Errorf("Content-Security-Policy = %q", csp)
	}
	links := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(string(page.body), -1)
	if len(links) < 3 {
		t.Fatalf("links of the page: %v", links)
	}
	for _, l := range links {
		w.send(request("GET", l[1], "", "")).ok(http.StatusOK)
	}
	for _, path := range []string{"/docs", "/docs/docs.js", "/docs/docs.css"} {
		body := string(w.send(request("GET", path, "", "")).body)
		if regexp.MustCompile(`(?i)https?://|//[a-z0-9-]+\.[a-z]|<style|style=|innerHTML|@import`).MatchString(body) {
			t.Errorf("%s names something outside, or breaks its own policy", path)
		}
	}
}

func TestProblemPages(t *testing.T) {
	w := newWorld(t, Default())
	codes := map[string]bool{}
	for _, k := range catalogue() {
		if codes[k.code] || !regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`).MatchString(k.code) || k.advice == "" || k.title == "" {
			t.Errorf("kind %+v is named twice, or lacks something", k)
		}
		codes[k.code] = true
		page := w.send(request("GET", k.path(), "", "")).ok(http.StatusOK)
		if !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") || !strings.Contains(string(page.body), k.code) {
			t.Errorf("page %s = %s", k.path(), page.body)
		}
	}
	rec := w.do("GET", "/problems/queue-full", "", "Accept", "application/json").ok(http.StatusOK)
	if got := rec.json(); got["code"] != "queue_full" || got["status"] != 429.0 {
		t.Errorf("as JSON: %v", got)
	}
}
