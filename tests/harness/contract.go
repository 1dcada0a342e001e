package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// contract stands between clients and the API and holds every answer, and every body that the server takes, against the server's own description, OpenAPI 3.1, whose
// schemas are JSON Schema 2020-12. What the description does not say fails the test.
type contract struct {
	report func(format string, args ...any)
	server *httptest.Server
	target *url.URL

	mu       sync.Mutex
	closed   bool
	document map[string]any // nil: not read yet
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema // by JSON pointer
	seen     map[string]bool               // what was answered: method, path of the description and status
}

// document is where the compiler thinks that the description lies.
const documentURL = "https://signalbox.test/openapi.json"

// newContract passes requests on to the API at target until the test ends.
func newContract(t *testing.T, target string) *contract {
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	c := &contract{report: t.Errorf, target: u, schemas: map[string]*jsonschema.Schema{}, seen: map[string]bool{}}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			keepSent(r)
		},
		FlushInterval:  -1, // streams of events
		ModifyResponse: c.check,
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {
			panic(http.ErrAbortHandler) // the API broke off: its client sees that, too
		},
	}
	c.server = httptest.NewServer(proxy)
	t.Cleanup(c.close)
	return c
}

func (c *contract) close() {
	c.server.CloseClientConnections()
	c.server.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}

// check holds one answer against the description.
func (c *contract) check(r *http.Response) error {
	req := r.Request
	if strings.HasPrefix(req.URL.Path, "/rest/") || req.Method == http.MethodHead || req.Method == http.MethodOptions {
		return nil // the API of somebody else; no answers with content
	}
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media == eventStream || media == jsonLines {
		r.Body = c.watch(req, r.StatusCode, media, r.Body)
		return c.found(req, r.StatusCode, media, nil)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if err := r.Body.Close(); err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return c.found(req, r.StatusCode, media, body)
}

// found reports what is wrong with an answer. The answer goes on to its client all the same.
func (c *contract) found(req *http.Request, status int, media string, body []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	if err := c.readLocked(req); err != nil {
		c.report("the description of the API cannot be read: %v", err)
		return nil
	}
	if err := c.judgeLocked(req, status, media, body); err != nil {
		c.report("%s %s was answered with %d %s, which the API's description does not allow: %v\n%.2000s", req.Method, req.URL.Path, status, media, err, body)
	}
	if sent := sentOf(req); status/100 == 2 && len(sent) > 0 {
		if err := c.judgeSentLocked(req, sent, refusedItems(body)); err != nil {
			c.report("%s %s was taken, which the API's description does not allow: %v\n%.2000s", req.Method, req.URL.Path, err, sent)
		}
	}
	return nil
}

// readLocked reads the description, once, also for a request whose client has gone meanwhile.
func (c *contract) readLocked(req *http.Request) error {
	if c.document != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(req.Context()), patience)
	defer cancel()
	get, err := http.NewRequestWithContext(ctx, http.MethodGet, c.target.String()+"/openapi.json", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(get)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	document, err := jsonschema.UnmarshalJSON(resp.Body)
	if err != nil {
		return err
	}
	c.compiler = jsonschema.NewCompiler()
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	c.compiler.AssertFormat()
	if err := c.compiler.AddResource(documentURL, document); err != nil {
		return err
	}
	c.document, _ = document.(map[string]any)
	return nil
}

// judgeLocked returns what the description does not allow.
func (c *contract) judgeLocked(req *http.Request, status int, media string, body []byte) error {
	paths, _ := c.document["paths"].(map[string]any)
	path, ok := template(paths, req.URL.Path)
	if !ok {
		if status >= 400 && status < 500 && media == "application/problem+json" {
			return nil
		}
		return errors.New("there is no such path")
	}
	item, _ := paths[path].(map[string]any)
	operation, ok := item[strings.ToLower(req.Method)].(map[string]any)
	if !ok {
		if status == http.StatusMethodNotAllowed && media == "application/problem+json" {
			return nil
		}
		return fmt.Errorf("%s has no such method", path)
	}
	c.seen[answerOf(req.Method, path, strconv.Itoa(status))] = true
	responses, _ := operation["responses"].(map[string]any)
	response, ok := responses[strconv.Itoa(status)].(map[string]any)
	if !ok {
		return fmt.Errorf("%s has no such status", path)
	}
	content, _ := response["content"].(map[string]any)
	if len(content) == 0 && len(body) == 0 {
		return nil
	}
	kind, ok := content[media].(map[string]any)
	if !ok {
		return fmt.Errorf("%s has no such media type for this status", path)
	}
	if kind["schema"] == nil || body == nil {
		return nil
	}
	return c.validateLocked(append(placeOf(req.Method, path, status, media), "schema"), body)
}

// placeOf is where the description speaks of the content of an answer.
func placeOf(method, path string, status int, media string) []string {
	return []string{"paths", path, strings.ToLower(method), "responses", strconv.Itoa(status), "content", media}
}

// validateLocked holds a body against the schema at a place of the description.
func (c *contract) validateLocked(place []string, body []byte) error {
	pointer := ""
	for _, step := range place {
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D", "+", "%2B").Replace(step)
	}
	schema := c.schemas[pointer]
	if schema == nil {
		var err error
		if schema, err = c.compiler.Compile(documentURL + "#" + pointer); err != nil {
			return err
		}
		c.schemas[pointer] = schema
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

// template finds the path of the description that stands for a real one: that with the fewest parameters.
func template(paths map[string]any, real string) (path string, ok bool) {
	steps, fewest := strings.Split(real, "/"), 0
	for p := range paths {
		parts := strings.Split(p, "/")
		params := 0
		same := len(parts) == len(steps)
		for i := 0; same && i < len(parts); i++ {
			if strings.HasPrefix(parts[i], "{") {
				params++
			} else {
				same = parts[i] == steps[i]
			}
		}
		if same && (!ok || params < fewest) {
			path, fewest, ok = p, params, true
		}
	}
	return path, ok
}
