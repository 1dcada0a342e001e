package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

// rfc5802 are the keys of the password "pencil" in the example of RFC 5802 section 5.
const rfc5802 = `{"mechanism":"SCRAM-SHA-1","iterations":4096,"salt":"QSXCR+Q6sek8bf92","stored_key":"6dlGYMOdZcOPutkcNY8U2g7vK9Y=","server_key":"D+CSWLOshSulAsxiupA+qs2/fTE="}`

// rfc7677 are those of RFC 7677 section 3.
const rfc7677 = `{"mechanism":"SCRAM-SHA-256","iterations":4096,"salt":"W22ZaJ0SNY7soEsUEjb6gQ==","stored_key":"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=","server_key":"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="}`

func (w *world) batch(body string) endpointsSaved {
	w.t.Helper()
	a := w.do("POST", "/v1/endpoints/batch", body).ok(http.StatusOK)
	var b endpointsSaved
	if err := json.Unmarshal(a.body, &b); err != nil {
		w.t.Fatal(err)
	}
	return b
}

// told is what became of each item, with where a problem is.
func (b endpointsSaved) told() (all []string) {
	for _, r := range b.Items {
		text := r.ID + " " + r.Result
		if r.Secret != "" {
			text += " with a secret"
		}
		if r.Problem != nil {
			text += " " + r.Problem.Code
			for _, e := range r.Problem.Errors {
				text += " " + e.Pointer
			}
		}
		all = append(all, text)
	}
	return all
}

func TestSaveEndpoints(t *testing.T) {
	w := newWorld(t, Default())
	w.do("POST", "/v1/endpoints", `{"id":"old","labels":{"a":"1"},"groups":["g"]}`).ok(http.StatusCreated)
	b := w.batch(`{"endpoints":[
		{"id":"chosen","secret":"s3cret","labels":{"site":"paris"},"groups":["lab"]}, {"id":"made","enabled":false}, {"id":"one","scram":` + rfc5802 + `},
		{"id":"two","scram":[` + rfc5802 + `,` + rfc7677 + `]}, {"id":"old"}, {"id":"chosen"}, {"id":"bad id"}, {"id":".."}, {"id":"short","secret":"abc"},
		{"id":"labels","labels":{"":"x"}}, {"id":"both","secret":"s3cret","scram":` + rfc5802 + `}
	]}`)
	want := []string{
		"chosen created", "made created with a secret", "one created", "two created", "old failed endpoint_exists /id", "chosen failed validation_failed /id",
		"bad id failed validation_failed /id", ".. failed validation_failed /id", "short failed validation_failed /secret", "labels failed validation_failed /labels/",
		"both failed validation_failed /scram",
	}
	if diff := cmp.Diff(want, b.told()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if b.Created != 4 || b.Failed != 7 || b.Updated != 0 || b.Existing != 0 {
		t.Errorf("counts %+v", b)
	}
	if got := w.do("GET", "/v1/endpoints/chosen", "").ok(http.StatusOK); !strings.Contains(string(got.body), `"labels":{"site":"paris"},"groups":["lab"]`) {
		t.Errorf("stored %s", got.body)
	}
	secret, enabled, err := w.store.EndpointSecret(t.Context(), endpoint.Key{Domain: domain, ID: "made"})
	if match, _ := secret.VerifyFast([]byte(b.Items[1].Secret)); err != nil || !match || enabled {
		t.Errorf("made: %v, its secret %v, enabled %v", err, match, enabled)
	}
	secret, _, err = w.store.EndpointSecret(t.Context(), endpoint.Key{Domain: domain, ID: "two"})
	if err != nil || len(secret.Scram) != 2 || len(secret.Scram[endpoint.ScramSHA1].StoredKey) != 20 || secret.Scram[endpoint.ScramSHA256].Iterations != 4096 {
		t.Errorf("two: %v %+v", err, secret)
	}
}

func TestBatchOfThoseThatExist(t *testing.T) {
	w := newWorld(t, Default())
	k := endpoint.Key{Domain: domain, ID: "old"}
	w.do("POST", "/v1/endpoints", `{"id":"old","labels":{"a":"1"},"groups":["g"]}`).ok(http.StatusCreated)
	session := &fakeSession{}
	w.registry.Bind(k, session)
	before, _, _ := w.store.EndpointSecret(t.Context(), k)

	skipped := w.batch(`{"on_existing":"skip","endpoints":[{"id":"old","secret":"another","enabled":false},{"id":"new"}]}`)
	if diff := cmp.Diff([]string{"old exists", "new created with a secret"}, skipped.told()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if after, enabled, _ := w.store.EndpointSecret(t.Context(), k); !enabled || !cmp.Equal(before, after) || len(session.reasons()) != 0 {
		t.Error("one that was skipped changed")
	}

	kept := w.batch(`{"on_existing":"update","endpoints":[{"id":"old","labels":{"b":"2"}},{"id":"newer"}]}`)
	if diff := cmp.Diff([]string{"old updated", "newer created with a secret"}, kept.told()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if after, _, _ := w.store.EndpointSecret(t.Context(), k); !cmp.Equal(before, after) || len(session.reasons()) != 0 {
		t.Error("a secret that the item does not name changed")
	}
	if got := w.do("GET", "/v1/endpoints/old", "").ok(http.StatusOK); !strings.Contains(string(got.body), `"enabled":true,"labels":{"b":"2"},"groups":["g"]`) {
		t.Errorf("updated %s", got.body)
	}
	w.batch(`{"on_existing":"update","endpoints":[{"id":"old","scram":` + rfc5802 + `}]}`)
	after, _, _ := w.store.EndpointSecret(t.Context(), k)
	if diff := cmp.Diff([]string{"secret_changed"}, session.reasons()); diff != "" || len(after.Scram) != 1 {
		t.Errorf("%d keys, sessions ended (-want +got):\n%s", len(after.Scram), diff)
	}
	again := &fakeSession{}
	w.registry.Bind(k, again)
	w.batch(`{"on_existing":"update","endpoints":[{"id":"old","enabled":false}]}`)
	if diff := cmp.Diff([]string{"endpoint_disabled"}, again.reasons()); diff != "" {
		t.Errorf("sessions ended (-want +got):\n%s", diff)
	}
}

func TestBatchBadRequests(t *testing.T) {
	w := newWorld(t, Default())
	ids := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,{"id":"pc-%d"}`, i)
		}
		return `{"on_existing":"skip","endpoints":[` + b.String()[1:] + `]}`
	}
	w.do("POST", "/v1/endpoints/batch", `{"endpoints":[]}`).want(validationFailed, "/endpoints")
	w.do("POST", "/v1/endpoints/batch", `{}`).want(validationFailed, "/endpoints")
	w.do("POST", "/v1/endpoints/batch", ids(maxBatch+1)).want(validationFailed, "/endpoints")
	w.do("POST", "/v1/endpoints/batch", `{"endpoints":[{"id":"a"}],"on_existing":"replace"}`).want(validationFailed, "/on_existing")
	w.do("POST", "/v1/endpoints/batch", `{"endpoints":[{"id":"a","colour":"red"}]}`).want(validationFailed, "/endpoints/0/colour")
	w.do("POST", "/v1/endpoints/batch", `{"endpoints":[{"id":7}]}`).want(validationFailed, "/endpoints/0/id")
	w.do("POST", "/v1/endpoints/batch", `{"endpoints":[{"id":"a","labels":{"x":"`+strings.Repeat("y", maxHugeBytes)+`"}}]}`).want(payloadTooLarge)
	for range maxHuge {
		w.srv.huge <- struct{}{}
	}
	w.do("POST", "/v1/endpoints/batch", `{"endpoints":[{"id":"a","labels":{"x":"`+strings.Repeat("y", maxBodyBytes)+`"}}]}`).want(busy)
	for _, tt := range []struct{ name, scram string }{
		{"text", `"x"`},
		{"null", `[null]`},
		{"unknown mechanism", strings.Replace(rfc5802, "SHA-1", "SHA-512", 1)},
		{"the same twice", "[" + rfc5802 + "," + rfc5802 + "]"},
		{"no mechanism", "[]"},
		{"few iterations", strings.Replace(rfc5802, "4096", "4095", 1)},
		{"many iterations", strings.Replace(rfc5802, "4096", "1000001", 1)},
		{"iterations beyond an int", strings.Replace(rfc5802, "4096", "9223372036854775807", 1)},
		{"no base64", strings.Replace(rfc5802, "QSXC", "Q=XC", 1)},
		{"no salt", strings.Replace(rfc5802, "QSXCR+Q6sek8bf92", "", 1)},
		{"keys of the other hash", strings.Replace(rfc5802, "SHA-1", "SHA-256", 1)},
		{"unknown field", strings.Replace(rfc5802, `"salt"`, `"Salt"`, 1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := w.batch(`{"endpoints":[{"id":"pc-x","scram":` + tt.scram + `}]}`)
			if p := b.Items[0].Problem; p == nil || p.Code != validationFailed.code || !strings.HasPrefix(p.Errors[0].Pointer, "/scram") {
				t.Errorf("%+v", b.Items[0])
			}
		})
	}
}

// TestBatchWithoutDisk: what was not saved says so, and nobody gets to know a secret that is not kept.
func TestBatchWithoutDisk(t *testing.T) {
	w := newWorld(t, Default())
	for _, tt := range []struct {
		err  error
		code string
	}{{push.ErrNoSpace, "insufficient_storage"}, {push.ErrBusy, "busy"}, {errors.New("broken"), "internal_error"}} {
		w.store.save.Store(&tt.err)
		b := w.batch(`{"endpoints":[{"id":"bad id"},{"id":"a"},{"id":"b"}]}`)
		want := []string{"bad id failed validation_failed /id", "a failed " + tt.code, "b failed " + tt.code}
		if diff := cmp.Diff(want, b.told()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
