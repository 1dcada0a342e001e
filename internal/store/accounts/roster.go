package accounts

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"

	"signalbox/internal/account"
	"signalbox/internal/store/direct"
)

type rosterStmts struct {
	contact, save, delete, count *direct.Stmt
	version                      *direct.Stmt
	blocked, block, unblock      *direct.Stmt
}

const (
	selectContact  = "SELECT c.jid, c.listed, c.subscription, c.pending_out, c.pending_in, c.approved, c.asked, c.name, c.groups, c.stanza"
	contactColumns = 10
)

func newRosterStmts(p *preparer) rosterStmts {
	return rosterStmts{
		contact: p.prepare(selectContact + " FROM contact c WHERE c.ep = ? AND c.jid = ?"),
		save: p.prepare("INSERT INTO contact (ep, jid, listed, subscription, pending_out, pending_in, approved, asked, name, groups, stanza)" +
			" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (ep, jid) DO UPDATE SET listed = excluded.listed, subscription = excluded.subscription," +
			" pending_out = excluded.pending_out, pending_in = excluded.pending_in, approved = excluded.approved, asked = excluded.asked, name = excluded.name," +
			" groups = excluded.groups, stanza = excluded.stanza"),
		delete: p.prepare("DELETE FROM contact WHERE ep = ? AND jid = ?"),
		count:  p.prepare("SELECT coalesce(sum(listed), 0), coalesce(sum(pending_in), 0) FROM contact WHERE ep = ?"),
		version: p.prepare("INSERT INTO account (ep, roster) VALUES (?1, ?2)" +
			" ON CONFLICT (ep) DO UPDATE SET roster = max(roster + 1, excluded.roster) RETURNING roster"),
		blocked: p.prepare("SELECT jid FROM blocked WHERE ep = ? ORDER BY jid"),
		block:   p.prepare("INSERT INTO blocked (ep, jid) VALUES (?, ?)"),
		unblock: p.prepare("DELETE FROM blocked WHERE ep = ? AND jid = ?"),
	}
}

func (t *tx) Contact(jid string) (account.Contact, error) {
	row := t.row[:]
	found, err := t.roster.contact.Row(row, t.ep, jid)
	if err != nil || !found {
		return account.Contact{}, err
	}
	return contactOf(row)
}

func (t *tx) SaveContact(c *account.Contact) error {
	groups, err := encodeGroups(c.Groups)
	if err != nil {
		return err
	}
	var stanza driver.Value
	if c.Stanza != nil {
		stanza = c.Stanza
	}
	return t.roster.save.Run(t.ep, c.JID, code(c.Listed), int64(c.Subscription), code(c.PendingOut), code(c.PendingIn), code(c.Approved), micros(c.Asked), c.Name, groups, stanza)
}

func (t *tx) DeleteContact(jid string) error { return t.roster.delete.Run(t.ep, jid) }

func (t *tx) CountContacts() (listed, asking int, err error) {
	return t.counts(t.roster.count, t.ep)
}

// NextRosterVersion takes the time where the roster has no greater version yet, so that an account that is made anew never shows one that was there.
func (t *tx) NextRosterVersion() (int64, error) {
	_, err := t.roster.version.Row(t.row[:1], t.ep, micros(t.now))
	return intOf(t.row[0]), err
}

func (t *tx) Blocked() ([]string, error) { return t.texts(t.roster.blocked, t.ep) }

func (t *tx) AddBlocked(jids []string) error { return t.each(t.roster.block, jids) }

func (t *tx) RemoveBlocked(jids []string) error { return t.each(t.roster.unblock, jids) }

func (t *tx) each(s *direct.Stmt, jids []string) error {
	for _, j := range jids {
		if err := s.Run(t.ep, j); err != nil {
			return err
		}
	}
	return nil
}

// contactOf reads the columns of selectContact.
func contactOf(row []driver.Value) (account.Contact, error) {
	c := account.Contact{
		Item: account.Item{JID: textOf(row[0]), Name: textOf(row[7]), State: account.State{
			Subscription: account.Subscription(intOf(row[2])), PendingOut: intOf(row[3]) != 0, PendingIn: intOf(row[4]) != 0, Approved: intOf(row[5]) != 0,
		}},
		Listed: intOf(row[1]) != 0, Asked: timeOf(intOf(row[6])), Stanza: bytesOf(row[9]),
	}
	var err error
	c.Groups, err = decodeGroups(textOf(row[8]))
	return c, err
}

func encodeGroups(groups []string) (string, error) {
	if len(groups) == 0 {
		return "", nil
	}
	b, err := json.Marshal(groups)
	return string(b), err
}

func decodeGroups(text string) (groups []string, err error) {
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &groups); err != nil {
		return nil, fmt.Errorf("read groups of a contact: %w", err)
	}
	return groups, nil
}
