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

func newRosterStmts(p *direct.Preparer) rosterStmts {
	return rosterStmts{
		contact: p.Prepare(selectContact + " FROM contact c WHERE c.ep = ? AND c.jid = ?"),
		save: p.Prepare("INSERT INTO contact (ep, jid, listed, subscription, pending_out, pending_in, approved, asked, name, groups, stanza)" +
			" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (ep, jid) DO UPDATE SET listed = excluded.listed, subscription = excluded.subscription," +
			" pending_out = excluded.pending_out, pending_in = excluded.pending_in, approved = excluded.approved, asked = excluded.asked, name = excluded.name," +
			" groups = excluded.groups, stanza = excluded.stanza"),
		delete: p.Prepare("DELETE FROM contact WHERE ep = ? AND jid = ?"),
		count:  p.Prepare("SELECT coalesce(sum(listed), 0), coalesce(sum(pending_in), 0) FROM contact WHERE ep = ?"),
		version: p.Prepare("INSERT INTO account (ep, roster) VALUES (?1, ?2)" +
			" ON CONFLICT (ep) DO UPDATE SET roster = max(roster + 1, excluded.roster) RETURNING roster"),
		blocked: p.Prepare("SELECT jid FROM blocked WHERE ep = ? ORDER BY jid"),
		block:   p.Prepare("INSERT INTO blocked (ep, jid) VALUES (?, ?)"),
		unblock: p.Prepare("DELETE FROM blocked WHERE ep = ? AND jid = ?"),
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
	return t.roster.save.Run(t.ep, c.JID, direct.Flag(c.Listed), int64(c.Subscription), direct.Flag(c.PendingOut), direct.Flag(c.PendingIn), direct.Flag(c.Approved), direct.Micros(c.Asked), c.Name, groups, stanza)
}

func (t *tx) DeleteContact(jid string) error { return t.roster.delete.Run(t.ep, jid) }

func (t *tx) CountContacts() (listed, asking int, err error) {
	return t.counts(t.roster.count, t.ep)
}

// NextRosterVersion takes the time where the roster has no greater version yet, so that an account that is made anew never shows one that was there.
func (t *tx) NextRosterVersion() (int64, error) {
	_, err := t.roster.version.Row(t.row[:1], t.ep, direct.Micros(t.now))
	return direct.Int(t.row[0]), err
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
		Item: account.Item{JID: direct.Text(row[0]), Name: direct.Text(row[7]), State: account.State{
			Subscription: account.Subscription(direct.Int(row[2])), PendingOut: direct.Int(row[3]) != 0, PendingIn: direct.Int(row[4]) != 0, Approved: direct.Int(row[5]) != 0,
		}},
		Listed: direct.Int(row[1]) != 0, Asked: direct.Time(direct.Int(row[6])), Stanza: direct.Bytes(row[9]),
	}
	var err error
	c.Groups, err = decodeGroups(direct.Text(row[8]))
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
