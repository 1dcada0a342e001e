package accounts

import (
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/store/direct"
)

// removeStmts delete what belongs to an account that goes, and old rows.
type removeStmts struct {
	tables                     []*direct.Stmt // ep, limit
	account                    *direct.Stmt
	versions, strangers, reset *direct.Stmt
	oldArchive, expired        *direct.Stmt
}

// The rosters that hold a subscription of an account that goes, and the requests of it that wait elsewhere.
const (
	queryKnowing = "SELECT ep FROM contact WHERE jid = ?1 AND listed = 1 AND subscription + pending_out + pending_in + approved > 0 LIMIT ?2"
	queryAsked   = "SELECT ep FROM contact WHERE jid = ?1 AND listed = 0 LIMIT ?2"
)

func newRemoveStmts(p *direct.Preparer) removeStmts {
	ofAccount := func(table, key string) *direct.Stmt {
		return p.Prepare("DELETE FROM " + table + " WHERE ep = ?1 AND " + key + " IN (SELECT " + key + " FROM " + table + " WHERE ep = ?1 LIMIT ?2)")
	}
	return removeStmts{
		tables: []*direct.Stmt{
			ofAccount("contact", "jid"), ofAccount("blocked", "jid"), ofAccount("offline", "id"), ofAccount("archive", "id"),
			p.Prepare("DELETE FROM node_item WHERE seq IN (SELECT i.seq FROM node n CROSS JOIN node_item i ON i.node = n.num WHERE n.ep = ?1 LIMIT ?2)"),
			p.Prepare("DELETE FROM push_target WHERE ep = ?1 AND ?2 > 0"),
			p.Prepare("DELETE FROM node WHERE ep = ?1 AND ?2 > 0 AND NOT EXISTS (SELECT 1 FROM node_item i WHERE i.node = num)"),
		},
		account:   p.Prepare("DELETE FROM account WHERE ep = ?"),
		versions:  p.Prepare("UPDATE account SET roster = max(roster + 1, ?3) WHERE ep IN (" + queryKnowing + ")"),
		strangers: p.Prepare("DELETE FROM contact WHERE jid = ?1 AND ep IN (" + queryAsked + ")"),
		reset: p.Prepare("UPDATE contact SET subscription = 0, pending_out = 0, pending_in = 0, approved = 0, asked = 0, stanza = NULL" +
			" WHERE jid = ?1 AND ep IN (" + queryKnowing + ")"),
		oldArchive: p.Prepare("DELETE FROM archive WHERE id IN (SELECT id FROM archive WHERE id <= ? ORDER BY id LIMIT ?)"),
		expired:    p.Prepare("DELETE FROM offline WHERE id IN (SELECT id FROM offline WHERE expires > 0 AND expires <= ? ORDER BY expires LIMIT ?)"),
	}
}

// Delete deletes up to about limit rows of each kind of an account, and what others know of it: their contacts stay in their rosters without a subscription. It
// reports whether there is more; then it is to be called again.
func (s *Statements) Delete(k endpoint.Key, num int64, limit int, now time.Time) (more bool, err error) {
	for _, stmt := range s.remove.tables {
		n, err := stmt.Exec(num, int64(limit))
		if err != nil {
			return false, err
		}
		more = more || n >= int64(limit)
	}
	known, err := s.forget(k, limit, now)
	if more = more || known; err != nil || more {
		return more, err
	}
	return false, s.remove.account.Run(num)
}

// forget takes an account out of the subscriptions of up to limit others, and reports whether there may be more.
func (s *Statements) forget(k endpoint.Key, limit int, now time.Time) (more bool, err error) {
	if err := s.remove.versions.Run(k.JID(), int64(limit), direct.Micros(now)); err != nil {
		return false, err
	}
	strangers, err := s.remove.strangers.Exec(k.JID(), int64(limit))
	if err != nil {
		return false, err
	}
	reset, err := s.remove.reset.Exec(k.JID(), int64(limit))
	return max(strangers, reset) >= int64(limit), err
}

// DeleteArchived deletes up to limit messages of all archives, the oldest first, up to the id last, and returns how many there were.
func (s *Statements) DeleteArchived(last int64, limit int) (int64, error) {
	return s.remove.oldArchive.Exec(last, int64(limit))
}

// DeleteExpired deletes up to limit offline messages that have expired at now and returns how many there were.
func (s *Statements) DeleteExpired(now time.Time, limit int) (int64, error) {
	return s.remove.expired.Exec(direct.Micros(now), int64(limit))
}
