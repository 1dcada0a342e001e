package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"signalbox/internal/audit"
)

var _ audit.Store = (*Store)(nil)

// AppendAudit implements audit.Store.
func (s *Store) AppendAudit(ctx context.Context, e audit.Entry) error {
	return s.try(ctx, func(t *tx) error { return t.chain(e) })
}

// AuditEntries implements audit.Store.
func (s *Store) AuditEntries(ctx context.Context, q audit.Query) ([]audit.Entry, error) {
	return s.reader.audit.Entries(ctx, q)
}

// AuditEnd implements audit.Store.
func (s *Store) AuditEnd(ctx context.Context) (audit.Link, audit.Head, error) {
	return s.reader.audit.End(ctx)
}

// AddAuditHead implements audit.Store.
func (s *Store) AddAuditHead(ctx context.Context, h audit.Head) error {
	return s.try(ctx, func(t *tx) error { return t.audit.AddHead(&h) })
}

// EachAuditEntry calls f with every entry of the audit trail in the order of their numbers, all of one moment. An error of f ends it and is returned.
func (s *Store) EachAuditEntry(ctx context.Context, f func(audit.Entry) error) error {
	return s.reader.audit.Each(ctx, f)
}

// AuditHeads returns all signed heads of the audit trail in the order of their numbers.
func (s *Store) AuditHeads(ctx context.Context) ([]audit.Head, error) {
	return s.reader.audit.Heads(ctx)
}

// chain adds an entry to the audit trail, in the transaction of what it tells. Where the chain stands is read once in each transaction, because another process may have written.
func (t *tx) chain(e audit.Entry) (err error) {
	if !t.auditRead {
		if t.auditEnd, err = t.audit.End(); err != nil {
			return err
		}
		t.auditRead = true
	}
	if e, err = t.auditEnd.Next(e, t.now); err != nil {
		return err
	}
	t.auditEnd = e.Link()
	return t.audit.Insert(&e)
}

// chainAct is chain for what somebody did, with a detail that is encoded here.
func (t *tx) chainAct(actor, action, subject string, detail any) error {
	text, err := json.Marshal(detail)
	if err != nil {
		return fmt.Errorf("encode the detail of %s: %w", action, err)
	}
	return t.chain(audit.Entry{Actor: actor, Action: action, Subject: subject, Detail: text})
}

// trimInterval is how much older than their retention entries are before they are deleted, so that not every round deletes some and says so.
const trimInterval = 24 * time.Hour

// deleteOldAudit deletes the entries that are older than they are kept, up to one that has a signed head, which stays: it is the anchor of those behind it. What is deleted is said
// in an entry before anything is, so that a trail of which a round has deleted a part tells of it as well.
func (s *Store) deleteOldAudit(ctx context.Context, before time.Time) error {
	last, err := outcome(ctx, s, func(t *tx) (int64, error) { return t.beginTrim(before) })
	if err != nil || last == 0 {
		return err
	}
	return s.inChunks(ctx, retentionChunk, func(t *tx) (int64, error) { return t.audit.Delete(last, retentionChunk) })
}

// beginTrim says in the trail which entries are about to be deleted, and returns the last of them; 0: none are.
func (t *tx) beginTrim(before time.Time) (last int64, err error) {
	h, found, err := t.audit.OldHead(before, before.Add(-trimInterval))
	if err != nil || !found {
		return 0, err
	}
	if err := t.chainAct(audit.Server, audit.Trimmed, "", audit.Trim{Through: h.Seq, Hash: h.Hash, Before: before.UTC()}); err != nil {
		return 0, err
	}
	return h.Seq, t.audit.DeleteHeads(h.Seq)
}
