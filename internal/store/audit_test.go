package store

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"signalbox/internal/audit"
	"signalbox/internal/remote"
)

// signer signs nothing that anybody could not: what is tested here is what is kept.
type signer struct{}

func (signer) Sign(purpose string, data []byte) []byte { return append([]byte(purpose), data...) }
func (signer) String() string                          { return "key" }
func (s signer) Verify(purpose string, data, sig []byte) bool {
	return string(s.Sign(purpose, data)) == string(sig)
}

// record appends an entry of a time.
func record(t *testing.T, s *Store, at time.Time) {
	t.Helper()
	if err := s.AppendAudit(t.Context(), audit.Entry{At: at, Actor: "technician:ann", Action: "technician.login"}); err != nil {
		t.Fatal(err)
	}
}

// sign signs the newest entry, at a time.
func sign(t *testing.T, s *Store, at time.Time) {
	t.Helper()
	end, _, err := s.AuditEnd(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddAuditHead(t.Context(), audit.Sign(signer{}, "key", end, at)); err != nil {
		t.Fatal(err)
	}
}

// checked returns what a check of the trail finds.
func checked(t *testing.T, s *Store) audit.Report {
	t.Helper()
	heads, err := s.AuditHeads(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := audit.NewChecker(heads, signer{})
	if err := s.EachAuditEntry(t.Context(), func(e audit.Entry) error { c.Add(e); return nil }); err != nil {
		t.Fatal(err)
	}
	return c.Report()
}

// TestAuditRetention: old entries go up to one that was signed, the trail says so and stays verifiable, and what is young stays.
func TestAuditRetention(t *testing.T) {
	s := writing(t)
	now := time.Now().UTC().Truncate(time.Microsecond)
	old := now.Add(-s.cfg.AuditRetention)
	at := func(hours int) time.Time { return old.Add(time.Duration(hours) * time.Hour) }
	for i := range 2*retentionChunk + 50 {
		record(t, s, at(-60).Add(time.Duration(i)*time.Second))
	}
	sign(t, s, at(-48))
	record(t, s, at(-3)) // 451
	sign(t, s, at(-2))
	record(t, s, at(-1)) // old, and not signed before it was
	sign(t, s, at(1))
	record(t, s, at(2))
	if r := checked(t, s); r.Bad != nil || r.Last != 453 || r.Heads != 3 {
		t.Fatalf("before: %+v, bad %v", r, r.Bad)
	}
	if err := s.deleteOldAudit(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	r := checked(t, s)
	if r.Bad != nil || r.First != 452 || r.Last != 454 || r.Trimmed != 451 || r.Heads != 2 {
		t.Errorf("after: %+v, bad %v", r, r.Bad)
	}
	// What is left is not older than its retention by a day, so nothing more is said.
	for _, hours := range []int{0, 1, 20} {
		if err := s.deleteOldAudit(t.Context(), at(hours)); err != nil {
			t.Fatal(err)
		}
	}
	if again := checked(t, s); again.Last != 454 || again.First != 452 {
		t.Errorf("after more rounds: %+v", again)
	}
	if err := s.deleteOldAudit(t.Context(), at(30)); err != nil {
		t.Fatal(err)
	}
	if r = checked(t, s); r.Bad != nil || r.First != 453 || r.Last != 455 || r.Trimmed != 452 {
		t.Errorf("a day later: %+v, bad %v", r, r.Bad)
	}
}

// TestAuditRetentionIsInterrupted: a round that ended in its middle leaves a trail that verifies, and the next goes on.
func TestAuditRetentionIsInterrupted(t *testing.T) {
	s := writing(t)
	old := time.Now().Add(-s.cfg.AuditRetention).UTC()
	for range 30 {
		record(t, s, old.Add(-72*time.Hour))
	}
	sign(t, s, old.Add(-time.Hour))
	err := s.try(t.Context(), func(tx *tx) error {
		last, err := tx.beginTrim(old)
		if err == nil {
			_, err = tx.audit.Delete(last, 10)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if r := checked(t, s); r.Bad != nil || r.First != 11 || r.Last != 31 || r.Trimmed != 30 {
		t.Errorf("in the middle: %+v, bad %v", r, r.Bad)
	}
	if err := s.deleteOldAudit(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	if r := checked(t, s); r.Bad != nil || r.First != 31 || r.Trimmed != 30 {
		t.Errorf("in the end: %+v, bad %v", r, r.Bad)
	}
}

// TestAuditIsUndoneWithItsChange: an entry of a transaction that fails is not there, and leaves no gap.
func TestAuditIsUndoneWithItsChange(t *testing.T) {
	s := writing(t)
	record(t, s, time.Now())
	broken := errors.New("broken")
	if err := s.try(t.Context(), func(t *tx) error {
		return errors.Join(t.chainAct("local:root", audit.TokenCreated, "tok_1", struct{}{}), broken)
	}); !errors.Is(err, broken) {
		t.Errorf("try = %v", err)
	}
	record(t, s, time.Now())
	if r := checked(t, s); r.Bad != nil || r.Last != 2 {
		t.Errorf("report = %+v, bad %v", r, r.Bad)
	}
}

// TestAuditOfTwoProcesses: the command line writes beside a server, and the chain is one.
func TestAuditOfTwoProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	one, two := openAt(t, path, Default()), openAt(t, path, Default())
	t.Cleanup(start(t, one))
	t.Cleanup(start(t, two))
	for range 5 {
		record(t, one, time.Now())
		record(t, two, time.Now())
	}
	if r := checked(t, one); r.Bad != nil || r.Last != 10 {
		t.Errorf("report = %+v, bad %v", r, r.Bad)
	}
}

// TestStoredChangesAreFound: who writes to the database beside the server is found out.
func TestStoredChangesAreFound(t *testing.T) {
	for _, tt := range []struct {
		sql      string
		from, to int64
	}{
		{"UPDATE audit SET actor = 'technician:bob' WHERE seq = 3", 3, 3},
		{"UPDATE audit SET detail = '{\"a\":1}' WHERE seq = 5", 5, 5},
		{"UPDATE audit SET hash = x'00' WHERE seq = 5", 5, 5},
		{"DELETE FROM audit WHERE seq = 4", 4, 4},
		{"DELETE FROM audit WHERE seq > 4", 5, 6},
		{"DELETE FROM audit WHERE seq < 3", 1, 2},
		{"UPDATE audit SET seq = seq + 100 WHERE seq = 4", 4, 4},
		{"UPDATE audit_head SET signature = x'00'", 6, 6},
	} {
		t.Run(tt.sql, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), FileName)
			s := openAt(t, path, Default())
			defer start(t, s)()
			for range 6 {
				record(t, s, time.Now())
			}
			sign(t, s, time.Now())
			if r := checked(t, s); r.Bad != nil {
				t.Fatal(r.Bad)
			}
			if err := onFile(t.Context(), path, func(db *sql.DB) error { _, err := db.Exec(tt.sql); return err }); err != nil {
				t.Fatal(err)
			}
			if r := checked(t, s); r.Bad == nil || r.Bad.From != tt.from || r.Bad.To != tt.to {
				t.Errorf("found %v, want entries %d to %d", r.Bad, tt.from, tt.to)
			}
		})
	}
}

// TestOldRemoteSessionsAreDeleted: those that have been over for long, and no others.
func TestOldRemoteSessionsAreDeleted(t *testing.T) {
	s := running(t)
	now := time.Now().UTC().Truncate(time.Microsecond)
	for id := range remote.ID(3) {
		r := remote.Session{ID: id + 1, Domain: "push.example", State: remote.Active, Created: now}
		if id > 0 {
			r.State, r.Ended = remote.Ended, now.Add(time.Duration(id)*time.Hour)
		}
		if err := s.CreateRemoteSession(t.Context(), r, audit.Entry{Action: audit.SessionRequested}); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		at   time.Time
		want string
	}{{now, "[ses_0000000000003 ses_0000000000002 ses_0000000000001]"}, {now.Add(90 * time.Minute), "[ses_0000000000003 ses_0000000000001]"}} {
		if err := s.deleteOld(t.Context(), step.at.Add(s.cfg.AuditRetention)); err != nil {
			t.Fatal(err)
		}
		all, err := s.RemoteSessions(t.Context(), remote.Query{Domain: "push.example", Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		var ids []remote.ID
		for _, r := range all {
			ids = append(ids, r.ID)
		}
		if got := fmt.Sprint(ids); got != step.want {
			t.Errorf("kept are %s, want %s", got, step.want)
		}
	}
}
