package api

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/access"
	"signalbox/internal/diagnosis"
	"signalbox/internal/endpoint"
)

// answers is a Diagnosis and a Doctor that know pc-1 and psh_1.
type answers struct{}

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func (answers) Endpoint(_ context.Context, id string) (diagnosis.Diagnosis, error) {
	if id != "pc-1" {
		return diagnosis.Diagnosis{}, endpoint.ErrUnknown
	}
	finding := diagnosis.Finding{Code: "cert_unknown_ca", Summary: "S.", Action: "A."}
	attempt := diagnosis.Attempt{At: noon, First: noon, Count: 2, Code: "cert_unknown_ca", Remote: netip.MustParseAddrPort("192.0.2.1:9"), Detail: diagnosis.Detail{Listener: "tls", Cause: "c"}}
	return diagnosis.Diagnosis{
		ID: id, At: noon, State: endpoint.StateOffline, Finding: finding, Steps: []diagnosis.Rung{{Step: diagnosis.TLS, Result: diagnosis.Failed, At: noon, Code: "cert_unknown_ca"}},
		Also: []diagnosis.Finding{finding}, Attempts: []diagnosis.Sighting{{Attempt: attempt, Others: 1}},
	}, nil
}

func (answers) Timeline(_ context.Context, id, from string, limit int) (diagnosis.Page, error) {
	switch {
	case id != "pc-1":
		return diagnosis.Page{}, endpoint.ErrUnknown
	case from == "nowhere":
		return diagnosis.Page{}, diagnosis.ErrCursor
	}
	return diagnosis.Page{Entries: []diagnosis.Entry{{At: noon, Kind: "endpoint.online", Summary: "from " + from, Count: limit}}, Next: "1.2", Since: noon}, nil
}

func (answers) Explain(_ context.Context, id string) (diagnosis.Explanation, error) {
	if id != "psh_1" {
		return diagnosis.Explanation{}, diagnosis.ErrUnknownPush
	}
	return diagnosis.Explanation{
		ID: id, To: "pc-1", State: "accepted", Finding: diagnosis.Finding{Code: "waits_for_endpoint", Summary: "S.", Action: "A."}, WaitingSince: noon, WaitingUntil: noon,
		Ahead: 3, Endpoint: &diagnosis.Finding{Code: "never_seen", Summary: "S.", Action: "A."},
		Phases: []diagnosis.Phase{{Change: diagnosis.Change{State: "accepted", At: noon}, Lasted: 1500 * time.Millisecond}},
		Groups: []diagnosis.Group{{State: "expired", Code: "expired_waiting", Count: 2, Partial: true, Example: "pc-2", Push: "psh_2", Summary: "S.", Action: "A."}},
	}, nil
}

func (answers) Examine(ctx context.Context) ([]DoctorCheck, error) {
	return []DoctorCheck{{Step: "server", Check: "clock", OK: true, Detail: "d"}, {Step: "store", Check: "x", Detail: "broken", Action: "mend it"}}, ctx.Err()
}

func TestWhy(t *testing.T) {
	w := newWorld(t, Default())
	for _, tt := range []struct{ path, want string }{
		{"/v1/endpoints/pc-1/diagnosis", `{"id":"pc-1","at":"2026-01-02T12:00:00Z","state":"offline","ok":false,"code":"cert_unknown_ca","summary":"S.","action":"A.",` +
			`"steps":[{"step":"tls","result":"failed","at":"2026-01-02T12:00:00Z","code":"cert_unknown_ca"}],"also":[{"code":"cert_unknown_ca","summary":"S.","action":"A."}],` +
			`"attempts":[{"at":"2026-01-02T12:00:00Z","first":"2026-01-02T12:00:00Z","count":2,"code":"cert_unknown_ca","address":"192.0.2.1:9","by":"address","others":1,"listener":"tls","cause":"c"}]}`},
		{"/v1/endpoints/pc-1/timeline", `{"items":[{"at":"2026-01-02T12:00:00Z","kind":"endpoint.online","summary":"from ","count":100}],"next":"c1MS4y","complete_since":"2026-01-02T12:00:00Z"}`},
		{"/v1/endpoints/pc-1/timeline?limit=5&cursor=c1MS4y", `{"items":[{"at":"2026-01-02T12:00:00Z","kind":"endpoint.online","summary":"from 1.2","count":5}],"next":"c1MS4y",` +
			`"complete_since":"2026-01-02T12:00:00Z"}`},
		{"/v1/pushes/psh_1/explain", `{"id":"psh_1","to":"pc-1","state":"accepted","done":false,"code":"waits_for_endpoint","summary":"S.","action":"A.","waiting_since":"2026-01-02T12:00:00Z",` +
			`"waiting_until":"2026-01-02T12:00:00Z","ahead":3,"endpoint":{"code":"never_seen","summary":"S.","action":"A."},"history":[{"state":"accepted","at":"2026-01-02T12:00:00Z","seconds":1.5}],` +
			`"groups":[{"state":"expired","code":"expired_waiting","count":2,"partial":true,"example":"pc-2","push":"psh_2","summary":"S.","action":"A."}]}`},
		{"/v1/doctor", `{"ok":false,"checks":[{"step":"server","check":"clock","ok":true,"warning":false,"detail":"d","action":""},{"step":"store","check":"x","ok":false,"warning":false,` +
			`"detail":"broken","action":"mend it"}]}`},
	} {
		t.Run(tt.path, func(t *testing.T) {
			w.t = t
			got := strings.TrimSpace(string(w.send(request("GET", tt.path, w.tokens[access.ScopeRead], "")).ok(http.StatusOK).body))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("answer (-want +got)\n%s", diff)
			}
		})
	}
	w.t = t
	w.send(request("GET", "/v1/endpoints/x/diagnosis", w.tokens[access.ScopeRead], "")).want(unknownEndpoint)
	w.send(request("GET", "/v1/endpoints/x/timeline", w.tokens[access.ScopeRead], "")).want(unknownEndpoint)
	w.send(request("GET", "/v1/pushes/x/explain", w.tokens[access.ScopeRead], "")).want(unknownPush)
	w.send(request("GET", "/v1/endpoints/pc-1/timeline?cursor=c1bm93aGVyZQ", w.tokens[access.ScopeRead], "")).want(validationFailed, "cursor")
}

// TestDoctorIsGivenUp: the end of a request is no mistake of the server.
func TestDoctorIsGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (&Server{deps: Deps{Doctor: answers{}}}).examine(ctx, call[noParams, none]{}); !errors.Is(err, context.Canceled) {
		t.Errorf("examine() = %v", err)
	}
}
