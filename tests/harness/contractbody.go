package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// sentBody keeps what a client sends while it is sent on: the server may answer before it has read everything.
type sentBody struct {
	io.ReadCloser

	mu   sync.Mutex
	text bytes.Buffer
}

type sentBodyKey struct{}

// keepSent keeps the body of a request on its way to the API.
func keepSent(r *httputil.ProxyRequest) {
	if r.Out.Body == nil {
		return
	}
	b := &sentBody{ReadCloser: r.Out.Body}
	r.Out = r.Out.WithContext(context.WithValue(r.Out.Context(), sentBodyKey{}, b))
	r.Out.Body = b
}

// sentOf returns the body that a request had until now.
func sentOf(req *http.Request) []byte {
	b, ok := req.Context().Value(sentBodyKey{}).(*sentBody)
	if !ok {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.text.Bytes())
}

// Read reads on and keeps what it reads.
func (b *sentBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text.Write(p[:n])
	return n, err
}

// judgeSentLocked returns what is wrong with a body that the server took, but for the items of a batch that it refused.
func (c *contract) judgeSentLocked(req *http.Request, body []byte, refused map[string]bool) error {
	paths, _ := c.document["paths"].(map[string]any)
	path, ok := template(paths, req.URL.Path)
	if !ok {
		return errors.New("there is no such path")
	}
	item, _ := paths[path].(map[string]any)
	operation, _ := item[strings.ToLower(req.Method)].(map[string]any)
	if operation["requestBody"] == nil {
		return errors.New("it takes no body")
	}
	err := c.validateLocked([]string{"paths", path, strings.ToLower(req.Method), "requestBody", "content", "application/json", "schema"}, body)
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) && excused(invalid, refused) {
		return nil
	}
	return err
}

// Message fails unless a body that a webhook got is one that the API's description speaks of.
func (s *Server) Message(t *testing.T, body []byte) {
	t.Helper()
	s.Operations(t) // so that the description is read
	s.contract.mu.Lock()
	defer s.contract.mu.Unlock()
	if err := s.contract.validateLocked([]string{"webhooks", "event", "post", "requestBody", "content", "application/json", "schema"}, body); err != nil {
		t.Errorf("a webhook got what the API's description does not speak of: %v\n%.2000s", err, body)
	}
}

// refusedItems returns the places of the items of a batch that its answer says were refused, each by itself.
func refusedItems(answer []byte) map[string]bool {
	var batch struct {
		Items []struct{ Problem json.RawMessage }
	}
	if json.Unmarshal(answer, &batch) != nil {
		return nil
	}
	refused := map[string]bool{}
	for i, item := range batch.Items {
		if item.Problem != nil {
			refused[strconv.Itoa(i)] = true
		}
	}
	return refused
}

// excused reports whether all mistakes are in items that were refused.
func excused(err *jsonschema.ValidationError, refused map[string]bool) bool {
	if len(err.Causes) == 0 {
		return len(err.InstanceLocation) > 1 && refused[err.InstanceLocation[1]]
	}
	return !slices.ContainsFunc(err.Causes, func(cause *jsonschema.ValidationError) bool { return !excused(cause, refused) })
}
