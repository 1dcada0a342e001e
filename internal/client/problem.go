package client

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Problem is an error that the server answered, RFC 9457. Get it with errors.As.
type Problem struct {
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"` // HTTP status
	Code   string       `json:"code"`   // stable name such as "unknown_endpoint"; empty: the answer came from something other than the API
	Detail string       `json:"detail"`
	Errors []FieldError `json:"errors"`

	// RetryAfter is how long the server asks to wait; 0: it does not say.
	RetryAfter time.Duration `json:"-"`
}

// FieldError points at one mistake in a request.
type FieldError struct {
	Pointer   string `json:"pointer"`   // JSON pointer into the body, or empty
	Parameter string `json:"parameter"` // name of a query parameter, header or part of the path, or empty
	Detail    string `json:"detail"`
}

// Error returns what a person needs: the code, what to do, and where the mistakes are.
func (p *Problem) Error() string {
	var b strings.Builder
	if p.Code == "" {
		fmt.Fprintf(&b, "HTTP status %d, and not from Signalbox: %s", p.Status, p.Detail)
	} else {
		fmt.Fprintf(&b, "%s (%s): %s", p.Title, p.Code, p.Detail)
	}
	for _, e := range p.Errors {
		fmt.Fprintf(&b, "\n  %s%s: %s", e.Pointer, e.Parameter, e.Detail)
	}
	return b.String()
}

func isProblem(res *http.Response) bool {
	media, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	return err == nil && media == "application/problem+json"
}

// newProblem makes an error of any answer that is none of the expected ones.
func newProblem(res *http.Response, data []byte) *Problem {
	p := &Problem{}
	if !isProblem(res) || json.Unmarshal(data, p) != nil || p.Code == "" {
		p = &Problem{Title: http.StatusText(res.StatusCode), Detail: "look at what stands between here and the API, and at its URL"}
	}
	p.Status = res.StatusCode
	if seconds, err := strconv.ParseUint(res.Header.Get("Retry-After"), 10, 31); err == nil {
		p.RetryAfter = time.Duration(seconds) * time.Second
	}
	return p
}
