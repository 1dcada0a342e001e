package harness

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// Operation is one operation of the API's description.
type Operation struct {
	Method, Path string
	Scope        string   // empty: it needs no token
	Success      []string // statuses below 400
	Problems     []string // codes of the problems that it documents
	Answered     []string // of the documented statuses, those that were seen
	Missed       []string // those that were not
}

// String returns method and path.
func (o Operation) String() string { return o.Method + " " + o.Path }

// answerOf names a status of an operation.
func answerOf(method, path, status string) string { return method + " " + path + " " + status }

// Operations returns everything that the API's description names, by path and method, with what was seen of it since the server runs.
func (s *Server) Operations(t *testing.T) (all []Operation) {
	t.Helper()
	s.Call(t, "GET", "/livez", "", 200) // so that the description is read
	c := s.contract
	c.mu.Lock()
	defer c.mu.Unlock()
	paths, _ := c.document["paths"].(map[string]any)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		item, _ := paths[path].(map[string]any)
		for _, method := range slices.Sorted(maps.Keys(item)) {
			operation, _ := item[method].(map[string]any)
			all = append(all, c.operationLocked(strings.ToUpper(method), path, operation))
		}
	}
	return all
}

func (c *contract) operationLocked(method, path string, described map[string]any) Operation {
	o := Operation{Method: method, Path: path}
	security, _ := described["security"].([]any)
	for _, one := range security {
		scheme, _ := one.(map[string]any)
		scopes, _ := scheme["token"].([]any)
		for _, scope := range scopes {
			o.Scope, _ = scope.(string)
		}
	}
	responses, _ := described["responses"].(map[string]any)
	for _, status := range slices.Sorted(maps.Keys(responses)) {
		response, _ := responses[status].(map[string]any)
		if status < "400" {
			o.Success = append(o.Success, status)
		}
		o.Problems = append(o.Problems, problemsOf(response)...)
		if c.seen[answerOf(method, path, status)] {
			o.Answered = append(o.Answered, status)
		} else {
			o.Missed = append(o.Missed, status)
		}
	}
	return o
}

// problemsOf returns the codes of the problems that a response of the description may be.
func problemsOf(response map[string]any) []string {
	content, _ := response["content"].(map[string]any)
	problem, _ := content["application/problem+json"].(map[string]any)
	examples, _ := problem["examples"].(map[string]any)
	return slices.Sorted(maps.Keys(examples))
}
