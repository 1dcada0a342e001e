package harness

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// described is a small API.
const described = `{"openapi":"3.1.0","paths":{
	"/events":{"get":{"responses":{"200":{"content":{"text/event-stream":{"schema":{"type":"string"},"x-data":{"$ref":"#/components/schemas/Event"}}}}}}},
	"/lines":{"get":{"responses":{"200":{"content":{"application/x-ndjson":{"schema":{"type":"string"},
		"x-lines":{"first":{"type":"object","required":["seq"]},"others":{"$ref":"#/components/schemas/Event"}}}}}}}},
	"/things":{"post":{"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Thing"}}}},
		"responses":{"201":{"content":{"application/json":{"schema":{"type":"object"}}}},"422":{"content":{"application/problem+json":{"schema":{"type":"object"}}}}}}},
	"/batch":{"post":{"requestBody":{"content":{"application/json":{"schema":{"type":"object","properties":{"items":{"type":"array","items":{"$ref":"#/components/schemas/Thing"}}}}}}},
		"responses":{"200":{"content":{"application/json":{"schema":{"type":"object"}}}}}}},
	"/done":{"post":{"responses":{"200":{"content":{"application/json":{"schema":{"type":"object","required":["ok"]}}}}}}}},
	"components":{"schemas":{"Event":{"type":"object","required":["id"]},"Thing":{"type":"object","additionalProperties":false,"properties":{"n":{"type":"integer"}}}}}}`

// TestContractBites: what the description does not say is reported, in whichever part of a conversation it stands, and nothing else is.
func TestContractBites(t *testing.T) {
	t.Parallel()
	const stream, lines = "text/event-stream", "application/x-ndjson"
	for _, tc := range []struct {
		name, request, sent string
		status              int
		media, answer, want string
	}{
		{"as described", "POST /things", `{"n":1}`, 201, "application/json", `{}`, ""},
		{"undescribed status", "POST /things", `{"n":1}`, 200, "application/json", `{}`, "no such status"},
		{"undescribed field was taken", "POST /things", `{"m":1}`, 201, "application/json", `{}`, "was taken"},
		{"undescribed field was refused", "POST /things", `{"m":1}`, 422, "application/problem+json", `{}`, ""},
		{"body where none is described", "POST /done", `{}`, 200, "application/json", `{"ok":true}`, "takes no body"},
		{"item of a batch was refused", "POST /batch", `{"items":[{"n":1},{"m":1}]}`, 200, "application/json", `{"items":[{},{"problem":{}}]}`, ""},
		{"item of a batch was taken", "POST /batch", `{"items":[{"n":1},{"m":1}]}`, 200, "application/json", `{"items":[{"problem":{}},{}]}`, "was taken"},
		{"answer lacks a field", "POST /done", "", 200, "application/json", `{}`, "missing property 'ok'"},
		{"events", "GET /events", "", 200, stream, ": alive\nid: 3\n\nid: 4\nevent: x\ndata: {\"id\":\"e\"}\n\n", ""},
		{"event lacks a field", "GET /events", "", 200, stream, "id: 4\nevent: x\ndata: {}\n\n", "missing property 'id'"},
		{"event is no JSON", "GET /events", "", 200, stream, "data: x\n\n", "part"},
		{"event was cut off", "GET /events", "", 200, stream, "data: {\"i", ""},
		{"lines", "GET /lines", "", 200, lines, "{\"seq\":1}\n{\"id\":\"a\"}\n", ""},
		{"first line lacks a field", "GET /lines", "", 200, lines, "{}\n", "missing property 'seq'"},
		{"another line lacks a field", "GET /lines", "", 200, lines, "{\"seq\":1}\n{\"id\":\"a\"}\n{}\n", "missing property 'id'"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := reported(t, tc.request, tc.sent, tc.status, tc.media, tc.answer)
			if tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
				t.Errorf("reported %q, want %q", got, tc.want)
			}
		})
	}
}

// TestContractReadsForThoseWhoHaveGone: a client that gives up on the first request to an API does not keep its description from being read.
func TestContractReadsForThoseWhoHaveGone(t *testing.T) {
	t.Parallel()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, described) }))
	defer api.Close()
	c := newContract(t, api.URL)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	req := httptest.NewRequest("POST", "/done", nil).WithContext(gone)
	if err := c.found(req, http.StatusOK, "application/json", []byte(`{"ok":true}`)); err != nil {
		t.Error(err)
	}
}

// reported is what a contract says of one exchange with the small API.
func reported(t *testing.T, request, sent string, status int, media, answer string) (said string) {
	t.Helper()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/openapi.json" {
			fmt.Fprint(w, described)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", media)
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	}))
	defer api.Close()
	c := newContract(t, api.URL)
	c.report = func(format string, args ...any) { said += fmt.Sprintf(format, args...) }
	method, path, _ := strings.Cut(request, " ")
	req, err := http.NewRequestWithContext(t.Context(), method, c.server.URL+path, strings.NewReader(sent))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); err != nil || string(got) != answer {
		t.Errorf("the answer came as %q, %v", got, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return said
}
