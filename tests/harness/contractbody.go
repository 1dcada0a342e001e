package harness

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httputil"
	"sync"
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
