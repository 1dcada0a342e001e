package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"signalbox/internal/access"
	"signalbox/internal/audit"
)

// auditStore is the audit trail with what reads all of it.
type auditStore interface {
	audit.Store
	EachAuditEntry(ctx context.Context, f func(audit.Entry) error) error
	AuditHeads(ctx context.Context) ([]audit.Head, error)
}

var auditTests = map[string]func(*testing.T, Subject){
	"audit/chain":  testAuditChain,
	"audit/heads":  testAuditHeads,
	"audit/query":  testAuditQuery,
	"audit/tokens": testAuditOfTokens,
}

// trail reads the whole trail and fails where the chain is broken.
func trail(t *testing.T, s Subject) (all []audit.Entry) {
	t.Helper()
	c := audit.NewChecker(nil)
	noError(t, s.EachAuditEntry(t.Context(), func(e audit.Entry) error {
		all = append(all, e)
		c.Add(e)
		return nil
	}))
	if r := c.Report(); r.Bad != nil {
		t.Errorf("the chain is broken: %v", r.Bad)
	}
	return all
}

// testAuditChain: entries of many at a time follow each other, and are read as they were written.
func testAuditChain(t *testing.T, s Subject) {
	end, newest, err := s.AuditEnd(t.Context())
	noError(t, err)
	if end != (audit.Link{}) || newest.Seq != 0 {
		t.Errorf("end of an empty trail = %+v, %+v", end, newest)
	}
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			e := audit.Entry{At: day, Domain: domain, Actor: "technician:ann", Action: "technician.login", Subject: fmt.Sprint(i), Detail: json.RawMessage(`{ "text": "<&>" }`)}
			if err := s.AppendAudit(t.Context(), e); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	all := trail(t, s)
	if len(all) != 50 || string(all[9].Detail) != `{"text":"<&>"}` || !all[9].At.Equal(day) || all[9].Domain != domain || all[9].Actor != "technician:ann" {
		t.Fatalf("%d entries, the tenth %+v", len(all), all[9])
	}
	end, _, err = s.AuditEnd(t.Context())
	noError(t, err)
	diff(t, "end", end, all[49].Link())
	if err := s.AppendAudit(t.Context(), audit.Entry{Action: "nothing"}); err == nil {
		t.Error("an entry is written that is none")
	}
	diff(t, "entries", len(trail(t, s)), 50)
}

func testAuditHeads(t *testing.T, s Subject) {
	for _, seq := range []int64{3, 1, 3} { // another signature of one entry takes the place of the first
		h := audit.Head{Link: audit.Link{Seq: seq, Hash: audit.Hash{byte(seq)}}, At: day, Key: "sbk1:x", Signature: []byte{1, 2, byte(seq)}}
		noError(t, s.AddAuditHead(t.Context(), h))
	}
	heads, err := s.AuditHeads(t.Context())
	noError(t, err)
	if len(heads) != 2 || heads[0].Seq != 1 {
		t.Fatalf("heads = %+v", heads)
	}
	want := audit.Head{Link: audit.Link{Seq: 3, Hash: audit.Hash{3}}, At: day, Key: "sbk1:x", Signature: []byte{1, 2, 3}}
	diff(t, "head", heads[1], want)
	_, newest, err := s.AuditEnd(t.Context())
	noError(t, err)
	diff(t, "newest", newest, want)
}

// testAuditQuery: by whom, what, to what, when, and page, the newest first.
func testAuditQuery(t *testing.T, s Subject) {
	for i, e := range []audit.Entry{
		{Domain: domain, Actor: "token:a", Action: "session.requested", Subject: "ses_1"},
		{Domain: domain, Actor: "technician:ann", Action: "session.attached", Subject: "ses_1"},
		{Domain: "other.example", Actor: "technician:ann", Action: "session.attached", Subject: "ses_2"},
		{Actor: "local:root", Action: "token.created", Subject: "tok_1"},
		{Domain: domain, Actor: "technician:ann", Action: "sessions.other", Subject: "ses_1"},
		{Domain: domain, Actor: "server", Action: "session.ended", Subject: "ses_1"},
	} {
		e.At = day.Add(time.Duration(i) * time.Minute)
		noError(t, s.AppendAudit(t.Context(), e))
	}
	at := func(i int) time.Time { return day.Add(time.Duration(i) * time.Minute) }
	for _, tt := range []struct {
		q    audit.Query
		want string
	}{
		{audit.Query{}, "6 5 4 3 2 1"},
		{audit.Query{Limit: 2}, "6 5"},
		{audit.Query{Before: 3}, "2 1"},
		{audit.Query{Domain: domain}, "6 5 4 2 1"},
		{audit.Query{Actor: "technician:ann"}, "5 3 2"},
		{audit.Query{Action: "session.attached"}, "3 2"},
		{audit.Query{Action: "session."}, "6 3 2 1"},
		{audit.Query{Action: "session"}, ""},
		{audit.Query{Subject: "ses_1", Before: 6}, "5 2 1"},
		{audit.Query{From: at(1), Until: at(3)}, "3 2"},
		{audit.Query{Domain: domain, Actor: "technician:ann", Action: "session.", Subject: "ses_1", From: at(1), Until: at(9), Before: 6, Limit: 9}, "2"},
	} {
		if tt.q.Limit == 0 {
			tt.q.Limit = 100
		}
		all, err := s.AuditEntries(t.Context(), tt.q)
		noError(t, err)
		diff(t, fmt.Sprintf("%+v", tt.q), ids(all, func(e audit.Entry) string { return fmt.Sprint(e.Seq) }), tt.want)
	}
}

// testAuditOfTokens: who makes and revokes a token stands in the trail, and what is refused does not.
func testAuditOfTokens(t *testing.T, s Subject) {
	ctx := audit.By(t.Context(), "local:root")
	token := access.Token{ID: "tok_1", Name: "management", Scopes: []access.Scope{access.ScopePush}, Hash: sha256.Sum256([]byte("x")), Created: day}
	noError(t, s.CreateToken(ctx, token))
	again := token
	again.ID = "tok_2"
	if err := s.CreateToken(ctx, again); err == nil {
		t.Error("a name is given twice")
	}
	noError(t, s.RevokeToken(t.Context(), "management"))
	if err := s.RevokeToken(ctx, "management"); err == nil {
		t.Error("a token is revoked twice")
	}
	diff(t, "trail", ids(trail(t, s), func(e audit.Entry) string { return fmt.Sprint(e.Actor, e.Action, e.Subject, string(e.Detail)) }),
		`local:roottoken.createdtok_1{"name":"management","scopes":["push"]} servertoken.revokedtok_1{"name":"management"}`)
}
