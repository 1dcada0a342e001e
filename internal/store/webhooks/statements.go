// Package webhooks holds the SQL of those who receive events: the statements of the one writer, and the readers' queries.
package webhooks

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"

	"signalbox/internal/events/webhook"
	"signalbox/internal/store/direct"
)

// keptDeliveries is how many attempts of each result the log of a receiver keeps.
const keptDeliveries = "1000"

// Statements are prepared on the writer's connection. One goroutine at a time uses them. The methods hold no decisions.
type Statements struct {
	insert, find, update, remove, count *direct.Stmt
	removeLog, removeAside, revive      *direct.Stmt
	progress, deliver, prune            *direct.Stmt
	setAside, settle, forgetAside       *direct.Stmt
	oldestAside                         *direct.Stmt

	row [webhookColumns]driver.Value
}

// The columns that webhookOf, deliveryOf and asideOf read.
const (
	selectWebhook  = "SELECT id, enabled, cursor, definition, state FROM webhook"
	webhookColumns = 5

	// Both results are in the order of their numbers in the index; what is kept of them is sorted together.
	queryDeliveries = "SELECT num, at, seq, event, type, endpoint, attempt, status, took, next, fault FROM webhook_delivery" +
		" WHERE webhook = ?1 AND failed IN (?2, 1) AND (?3 = 0 OR num < ?3) ORDER BY num DESC LIMIT ?4"
	deliveryColumns = 11

	queryAside   = "SELECT seq, endpoint, tries, since, next, given_up FROM webhook_aside WHERE webhook = ? ORDER BY seq"
	asideColumns = 6
)

// Prepare prepares everything on the writer's connection.
func Prepare(p *direct.Preparer) *Statements {
	return &Statements{
		insert:      p.Prepare("INSERT INTO webhook (id, enabled, cursor, definition, state) VALUES (?, ?, ?, ?, ?)"),
		find:        p.Prepare(selectWebhook + " WHERE id = ?"),
		update:      p.Prepare("UPDATE webhook SET enabled = ?, cursor = ?, definition = ?, state = ? WHERE id = ?"),
		remove:      p.Prepare("DELETE FROM webhook WHERE id = ?"),
		count:       p.Prepare("SELECT count(*) FROM webhook WHERE id <> '" + webhook.Management + "'"),
		removeLog:   p.Prepare("DELETE FROM webhook_delivery WHERE webhook = ?"),
		removeAside: p.Prepare("DELETE FROM webhook_aside WHERE webhook = ?"),
		revive:      p.Prepare("UPDATE webhook_aside SET given_up = 0, tries = 0, since = 0, next = 0 WHERE webhook = ? AND given_up = 1"),
		progress:    p.Prepare("UPDATE webhook SET enabled = CASE WHEN ? THEN 0 ELSE enabled END, cursor = ?, state = ? WHERE id = ?"),
		deliver: p.Prepare("INSERT INTO webhook_delivery (webhook, failed, at, seq, event, type, endpoint, attempt, status, took, next, fault)" +
			" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
		prune: p.Prepare("DELETE FROM webhook_delivery WHERE webhook = ?1 AND failed = ?2 AND num <= (SELECT num FROM webhook_delivery WHERE webhook = ?1 AND failed = ?2" +
			" ORDER BY num DESC LIMIT 1 OFFSET " + keptDeliveries + ")"),
		setAside: p.Prepare("INSERT INTO webhook_aside (webhook, seq, endpoint, tries, since, next, given_up) VALUES (?, ?, ?, ?, ?, ?, ?)" +
			" ON CONFLICT (webhook, seq) DO UPDATE SET tries = excluded.tries, since = excluded.since, next = excluded.next, given_up = excluded.given_up"),
		settle:      p.Prepare("DELETE FROM webhook_aside WHERE webhook = ? AND seq = ?"),
		forgetAside: p.Prepare("DELETE FROM webhook_aside WHERE webhook = ? AND seq <= (SELECT deleted_event FROM meta)"),
		oldestAside: p.Prepare("SELECT min(seq) FROM webhook_aside WHERE webhook = ? AND given_up = 0"),
	}
}

// Count returns how many there are, without the management server.
func (s *Statements) Count() (int64, error) {
	_, err := s.count.Row(s.row[:1])
	return direct.Int(s.row[0]), err
}

// Insert stores w.
func (s *Statements) Insert(w *webhook.Webhook) error {
	definition, state, err := encode(w)
	if err != nil {
		return err
	}
	return s.insert.Run(w.ID, direct.Flag(w.Enabled), w.Cursor, definition, state)
}

// Find returns one, or webhook.ErrUnknown.
func (s *Statements) Find(id string) (webhook.Webhook, error) {
	found, err := s.find.Row(s.row[:], id)
	if err == nil && !found {
		err = webhook.ErrUnknown
	}
	if err != nil {
		return webhook.Webhook{}, err
	}
	return webhookOf(s.row[:])
}

// Update writes what can change of w.
func (s *Statements) Update(w *webhook.Webhook) error {
	definition, state, err := encode(w)
	if err != nil {
		return err
	}
	return s.update.Run(direct.Flag(w.Enabled), w.Cursor, definition, state, w.ID)
}

// Delete removes a receiver with its log and what it has set aside, or returns webhook.ErrUnknown.
func (s *Statements) Delete(id string) error {
	n, err := s.remove.Exec(id)
	if err == nil && n == 0 {
		err = webhook.ErrUnknown
	}
	if err == nil {
		err = s.removeLog.Run(id)
	}
	if err == nil {
		err = s.removeAside.Run(id)
	}
	return err
}

// SaveProgress stores what became of deliveries, but for the state.
func (s *Statements) SaveProgress(id string, p *webhook.Progress) error {
	if err := s.saveDeliveries(id, p.Deliveries); err != nil {
		return err
	}
	for _, a := range p.Aside {
		if err := s.setAside.Run(id, a.Seq, a.Endpoint, int64(a.Tries), direct.Micros(a.Since), direct.Micros(a.Next), direct.Flag(a.GivenUp)); err != nil {
			return err
		}
	}
	for _, seq := range p.Settled {
		if err := s.settle.Run(id, seq); err != nil {
			return err
		}
	}
	return nil
}

func (s *Statements) saveDeliveries(id string, all []webhook.Delivery) error {
	for _, d := range all {
		var fault driver.Value
		if !d.OK() {
			text, err := json.Marshal(d.Fault)
			if err != nil {
				return fmt.Errorf("encode fault: %w", err)
			}
			fault = string(text)
		}
		err := s.deliver.Run(id, direct.Flag(!d.OK()), direct.Micros(d.At), d.Seq, d.Event, d.Type, d.Endpoint, int64(d.Attempt), int64(d.Status),
			d.Took.Microseconds(), direct.Micros(d.Next), fault)
		if err == nil && d.OK() && d.Seq > 0 { // a replay may bring what was given up: `failed` does not mean it any more
			err = s.settle.Run(id, d.Seq)
		}
		if err != nil {
			return err
		}
	}
	for _, failed := range []int64{0, 1} {
		if len(all) == 0 {
			break
		}
		if err := s.prune.Run(id, failed); err != nil {
			return err
		}
	}
	return nil
}

// SaveState stores how far a receiver is, and disables it if it has to be. It returns up to where it has done with all events: those that it has set aside count as not read.
func (s *Statements) SaveState(id string, state *webhook.State, disable bool) (read int64, err error) {
	text, err := json.Marshal(state)
	if err != nil {
		return 0, fmt.Errorf("encode state: %w", err)
	}
	if err := s.progress.Run(direct.Flag(disable), state.Cursor, string(text), id); err != nil {
		return 0, err
	}
	if err := s.forgetAside.Run(id); err != nil {
		return 0, err
	}
	if _, err := s.oldestAside.Row(s.row[:1], id); err != nil {
		return 0, err
	}
	read = state.Cursor
	if aside := direct.Int(s.row[0]); aside > 0 {
		read = min(read, aside-1)
	}
	return read, nil
}

// Revive has what was given up tried again, and returns how many events that are.
func (s *Statements) Revive(id string) (int64, error) { return s.revive.Exec(id) }
