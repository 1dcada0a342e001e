package api

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"signalbox/internal/access"
)

func TestAccessLog(t *testing.T) {
	w := newWorld(t, Default())
	tokens, err := w.store.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	reader := ""
	for _, token := range tokens {
		if token.Name == "only read" {
			reader = token.ID
		}
	}
	w.logs.TakeAll()
	w.send(request("GET", "/v1/endpoints/pc-1?x=1", w.tokens[access.ScopeRead], ""))
	w.send(request("GET", "/v1/endpoints/pc-1", "", ""))
	lines := w.logs.FilterMessage("request").All()
	if len(lines) != 2 {
		t.Fatalf("%d lines", len(lines))
	}
	for i, want := range []map[string]any{
		{"method": "GET", "path": "/v1/endpoints/{id}", "status": int64(422), "remote": "192.0.2.7:4711", "token": reader},
		{"method": "GET", "path": "/v1/endpoints/{id}", "status": int64(401), "remote": "192.0.2.7:4711", "token": ""},
	} {
		got := lines[i].ContextMap()
		delete(got, "took")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("line %d (-want +got):\n%s", i, diff)
		}
	}
}

// TestPanicBehindTheBeginning: an answer that has begun cannot become a problem; the connection is cut so that nobody takes it for whole.
func TestPanicBehindTheBeginning(t *testing.T) {
	w := newWorld(t, Default())
	w.srv.mux.HandleFunc("GET /half", func(rw http.ResponseWriter, _ *http.Request) {
		rw.WriteHeader(http.StatusOK)
		panic("broken")
	})
	defer func() {
		if v := recover(); v != http.ErrAbortHandler {
			t.Errorf("panic with %v, want http.ErrAbortHandler", v)
		}
		if n := testutil.ToFloat64(w.srv.metrics.requests.WithLabelValues("/half", "GET", "200")); n != 1 {
			t.Errorf("counted %v times", n)
		}
		if n := w.logs.FilterMessage("handler panicked").Len(); n != 1 || len(w.srv.slots) != 0 {
			t.Errorf("%d lines about the panic, %d requests at work", n, len(w.srv.slots))
		}
	}()
	w.srv.Handler().ServeHTTP(httptest.NewRecorder(), request("GET", "/half", "", ""))
}
