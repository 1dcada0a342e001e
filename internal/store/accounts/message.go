package accounts

import (
	"encoding/json"
	"fmt"
	"time"

	"signalbox/internal/account"
	"signalbox/internal/store/direct"
)

type messageStmts struct {
	offlineUsage, addOffline                         *direct.Stmt
	deleteOffline, expireOffline                     *direct.Stmt
	archive, archiveUsage, archivedOldest, unarchive *direct.Stmt
	preferences, last                                *direct.Stmt
}

// trimStep is how many old messages are looked at together while an archive gives way.
const trimStep = 16

func newMessageStmts(p *direct.Preparer) messageStmts {
	return messageStmts{
		offlineUsage: p.Prepare(queryOfflineUsage),
		addOffline: p.Prepare("INSERT INTO offline (id, ep, at, expires, size, stanza)" +
			" VALUES (max(coalesce((SELECT max(id) FROM offline), 0) + 1, ?1), ?2, ?3, ?4, ?5, ?6) RETURNING id"),
		deleteOffline:  p.Prepare("DELETE FROM offline WHERE ep = ?1 AND id <= ?2"),
		expireOffline:  p.Prepare("DELETE FROM offline WHERE id IN (SELECT id FROM offline WHERE ep = ?1 AND expires > 0 AND expires <= ?2)"),
		archive:        p.Prepare("INSERT INTO archive (id, ep, peer, resource, outgoing, at, size, stanza) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"),
		archiveUsage:   p.Prepare("SELECT archived, archived_bytes FROM account WHERE ep = ?"),
		archivedOldest: p.Prepare(queryOldestArchived),
		unarchive:      p.Prepare("DELETE FROM archive WHERE id = ?"),
		preferences: p.Prepare("INSERT INTO account (ep, preferences) VALUES (?, ?)" +
			" ON CONFLICT (ep) DO UPDATE SET preferences = excluded.preferences"),
		last: p.Prepare("INSERT INTO account (ep, last_at, last_status) VALUES (?, ?, ?)" +
			" ON CONFLICT (ep) DO UPDATE SET last_at = excluded.last_at, last_status = excluded.last_status"),
	}
}

const (
	queryOfflineUsage   = "SELECT count(*), coalesce(sum(size), 0) FROM offline WHERE ep = ? AND (expires = 0 OR expires > ?)"
	queryOldestArchived = "SELECT id, size FROM archive WHERE ep = ? ORDER BY id LIMIT ?"
)

func (t *tx) OfflineUsage() (count, bytes int, err error) {
	return t.counts(t.message.offlineUsage, t.ep, direct.Micros(t.now))
}

// AddOffline takes the time as the id where no id is greater, so that ids do not come again when nothing waits.
func (t *tx) AddOffline(m *account.Offline) error {
	if err := t.message.expireOffline.Run(t.ep, direct.Micros(t.now)); err != nil {
		return err
	}
	_, err := t.message.addOffline.Row(t.row[:1], direct.Micros(t.now), t.ep, direct.Micros(m.At), direct.Micros(m.Expires), int64(len(m.Stanza)), direct.Blob(m.Stanza))
	return err
}

func (t *tx) DeleteOffline(upTo account.OfflineID) error {
	return t.message.deleteOffline.Run(t.ep, int64(upTo))
}

func (t *tx) Archive(m *account.Message, count, bytes int) error {
	err := t.message.archive.Run(int64(m.ID), t.ep, m.With, m.Resource, direct.Flag(m.Outgoing), direct.Micros(m.At), int64(len(m.Stanza)), direct.Blob(m.Stanza))
	if err != nil {
		return err
	}
	for {
		n, size, err := t.counts(t.message.archiveUsage, t.ep)
		if err != nil || n <= 1 || n <= count && size <= bytes {
			return err
		}
		if err := t.trimArchive(n, size, count, bytes); err != nil {
			return err
		}
	}
}

// trimArchive deletes some of the oldest messages, as many as need be.
func (t *tx) trimArchive(n, size, count, bytes int) error {
	var gone []int64
	err := t.message.archivedOldest.Each(t.row[:2], func() error {
		if n > 1 && (n > count || size > bytes) {
			gone = append(gone, direct.Int(t.row[0]))
			n--
			size -= int(direct.Int(t.row[1]))
		}
		return nil
	}, t.ep, int64(trimStep))
	for _, id := range gone {
		if err == nil {
			err = t.message.unarchive.Run(id)
		}
	}
	return err
}

// preferences is how account.Preferences are stored.
type preferences struct {
	Default string   `json:"default"`
	Always  []string `json:"always,omitempty"`
	Never   []string `json:"never,omitempty"`
}

func (t *tx) SavePreferences(p account.Preferences) error {
	b, err := json.Marshal(preferences{p.Default.String(), p.Always, p.Never})
	if err != nil {
		return fmt.Errorf("encode preferences: %w", err)
	}
	return t.message.preferences.Run(t.ep, string(b))
}

func decodePreferences(text string) (account.Preferences, error) {
	var p preferences
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return account.Preferences{}, fmt.Errorf("read preferences: %w", err)
	}
	d, ok := account.ParseArchiving(p.Default)
	if !ok {
		return account.Preferences{}, fmt.Errorf("read preferences: default is %q", p.Default)
	}
	return account.Preferences{Default: d, Always: p.Always, Never: p.Never}, nil
}

func (t *tx) SaveLast(status string, at time.Time) error {
	return t.message.last.Run(t.ep, direct.Micros(at), status)
}
