package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"signalbox/internal/events/webhook"
	"signalbox/internal/store/direct"
)

// keptDeliveries is how many attempts of each result the log of a receiver keeps.
const keptDeliveries = "1000"

type webhookStmts struct {
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

func newWebhookStmts(p *direct.Preparer) webhookStmts {
	return webhookStmts{
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

// readerName is the name under which a receiver is registered as one that must not miss events.
func readerName(id string) string { return "webhook " + id }

// insertWebhook stores w and returns its cursor, behind what was written before, or webhook.ErrTooMany.
func (t *tx) insertWebhook(w webhook.Webhook) (int64, error) {
	if _, err := t.webhook.count.Row(t.webhook.row[:1]); err != nil {
		return 0, err
	}
	if w.ID != webhook.Management && direct.Int(t.webhook.row[0]) >= webhook.MaxWebhooks {
		return 0, webhook.ErrTooMany
	}
	if err := t.readNumbers(); err != nil {
		return 0, err
	}
	cursor := t.lastEvent
	if w.Enabled {
		if err := t.moveReader(readerName(w.ID), cursor); err != nil {
			return 0, err
		}
	}
	definition, state, err := encodeWebhook(w)
	if err != nil {
		return 0, err
	}
	return cursor, t.webhook.insert.Run(w.ID, direct.Flag(w.Enabled), cursor, definition, state)
}

func (t *tx) findWebhook(id string) (webhook.Webhook, error) {
	found, err := t.webhook.find.Row(t.webhook.row[:], id)
	if err == nil && !found {
		err = webhook.ErrUnknown
	}
	if err != nil {
		return webhook.Webhook{}, err
	}
	return webhookOf(t.webhook.row[:])
}

// updateWebhook stores w. Events are kept for those receivers alone that are enabled.
func (t *tx) updateWebhook(w webhook.Webhook) error {
	definition, state, err := encodeWebhook(w)
	if err != nil {
		return err
	}
	if err := t.webhook.update.Run(direct.Flag(w.Enabled), w.Cursor, definition, state, w.ID); err != nil {
		return err
	}
	if !w.Enabled {
		return t.forgetReader(readerName(w.ID))
	}
	return t.moveReader(readerName(w.ID), w.Cursor)
}

// deleteWebhook removes a receiver with all that is kept of it, or returns webhook.ErrUnknown.
func (t *tx) deleteWebhook(id string) error {
	n, err := t.webhook.remove.Exec(id)
	if err == nil && n == 0 {
		err = webhook.ErrUnknown
	}
	for _, step := range []func() error{
		func() error { return t.webhook.removeLog.Run(id) },
		func() error { return t.webhook.removeAside.Run(id) },
		func() error { return t.forgetReader(readerName(id)) },
	} {
		if err == nil {
			err = step()
		}
	}
	return err
}

// saveProgress stores what became of deliveries, unless the receiver was deleted meanwhile.
func (t *tx) saveProgress(id string, p webhook.Progress) error {
	w, err := t.findWebhook(id)
	if err != nil {
		return expected(new(error), err, webhook.ErrUnknown)
	}
	if err := t.saveDeliveries(id, p.Deliveries); err != nil {
		return err
	}
	for _, a := range p.Aside {
		if err := t.webhook.setAside.Run(id, a.Seq, a.Endpoint, int64(a.Tries), direct.Micros(a.Since), direct.Micros(a.Next), direct.Flag(a.GivenUp)); err != nil {
			return err
		}
	}
	for _, seq := range p.Settled {
		if err := t.webhook.settle.Run(id, seq); err != nil {
			return err
		}
	}
	if p.State == nil {
		return nil
	}
	return t.saveState(w, *p.State, p.Disable)
}

func (t *tx) saveDeliveries(id string, all []webhook.Delivery) error {
	for _, d := range all {
		var fault driver.Value
		if !d.OK() {
			text, err := json.Marshal(d.Fault)
			if err != nil {
				return fmt.Errorf("encode fault: %w", err)
			}
			fault = string(text)
		}
		err := t.webhook.deliver.Run(id, direct.Flag(!d.OK()), direct.Micros(d.At), d.Seq, d.Event, d.Type, d.Endpoint, int64(d.Attempt), int64(d.Status),
			d.Took.Microseconds(), direct.Micros(d.Next), fault)
		if err == nil && d.OK() && d.Seq > 0 { // a replay may bring what was given up: `failed` does not mean it any more
			err = t.webhook.settle.Run(id, d.Seq)
		}
		if err != nil {
			return err
		}
	}
	for _, failed := range []int64{0, 1} {
		if len(all) == 0 {
			break
		}
		if err := t.webhook.prune.Run(id, failed); err != nil {
			return err
		}
	}
	return nil
}

// saveState stores how far a receiver is. Events that it has set aside count as not read.
func (t *tx) saveState(w webhook.Webhook, s webhook.State, disable bool) error {
	state, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	if err := t.webhook.progress.Run(direct.Flag(disable), s.Cursor, string(state), w.ID); err != nil {
		return err
	}
	if err := t.webhook.forgetAside.Run(w.ID); err != nil {
		return err
	}
	if disable {
		if err := t.forgetReader(readerName(w.ID)); err != nil {
			return err
		}
		return t.disabledEvent(w, s)
	}
	if _, err := t.webhook.oldestAside.Row(t.webhook.row[:1], w.ID); err != nil {
		return err
	}
	read := s.Cursor
	if aside := direct.Int(t.webhook.row[0]); aside > 0 {
		read = min(read, aside-1)
	}
	return t.moveReader(readerName(w.ID), read)
}

// disabledEvent tells the others that a receiver gets nothing any more.
func (t *tx) disabledEvent(w webhook.Webhook, s webhook.State) error {
	data, err := json.Marshal(map[string]string{"webhook": w.ID, "code": s.Fault.Code, "reason": s.Disabled})
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	return t.insertEvent(event{at: direct.Micros(t.now), kind: kindWebhookDisabled, data: string(data)})
}

// webhookDefinition is what a receiver asks for, as it is stored.
type webhookDefinition struct {
	URL         string        `json:"url"`
	Description string        `json:"description,omitempty"`
	Types       []string      `json:"types,omitempty"`
	Insecure    bool          `json:"insecure,omitempty"`
	Keys        []webhook.Key `json:"keys,omitempty"`
	Created     time.Time     `json:"created"`
	Updated     time.Time     `json:"updated"`
}

func encodeWebhook(w webhook.Webhook) (definition, state string, err error) {
	d, err := json.Marshal(webhookDefinition{w.URL, w.Description, w.Types, w.Insecure, w.Keys, w.Created, w.Updated})
	if err != nil {
		return "", "", fmt.Errorf("encode webhook: %w", err)
	}
	s, err := json.Marshal(w.State)
	if err != nil {
		return "", "", fmt.Errorf("encode webhook: %w", err)
	}
	return string(d), string(s), nil
}

// webhookOf reads the columns of selectWebhook.
func webhookOf(row []driver.Value) (webhook.Webhook, error) {
	var d webhookDefinition
	w := webhook.Webhook{ID: direct.Text(row[0]), Enabled: direct.Int(row[1]) != 0}
	if err := json.Unmarshal([]byte(direct.Text(row[3])), &d); err != nil {
		return w, fmt.Errorf("read webhook %s: %w", w.ID, err)
	}
	if err := json.Unmarshal([]byte(direct.Text(row[4])), &w.State); err != nil {
		return w, fmt.Errorf("read state of webhook %s: %w", w.ID, err)
	}
	w.Cursor = direct.Int(row[2])
	w.URL, w.Description, w.Types, w.Insecure, w.Keys, w.Created, w.Updated = d.URL, d.Description, d.Types, d.Insecure, d.Keys, d.Created, d.Updated
	return w, nil
}

// deliveryOf reads the columns of queryDeliveries.
func deliveryOf(row []driver.Value) (webhook.Delivery, error) {
	d := webhook.Delivery{
		ID: direct.Int(row[0]), At: direct.Time(direct.Int(row[1])), Seq: direct.Int(row[2]), Event: direct.Text(row[3]), Type: direct.Text(row[4]), Endpoint: direct.Text(row[5]),
		Attempt: int(direct.Int(row[6])), Status: int(direct.Int(row[7])), Took: time.Duration(direct.Int(row[8])) * time.Microsecond, Next: direct.Time(direct.Int(row[9])),
	}
	if fault := direct.Text(row[10]); fault != "" {
		if err := json.Unmarshal([]byte(fault), &d.Fault); err != nil {
			return d, fmt.Errorf("read delivery %d: %w", d.ID, err)
		}
	}
	return d, nil
}

// asideOf reads the columns of queryAside.
func asideOf(row []driver.Value) (webhook.Aside, error) {
	return webhook.Aside{
		Seq: direct.Int(row[0]), Endpoint: direct.Text(row[1]), Tries: int(direct.Int(row[2])), Since: direct.Time(direct.Int(row[3])), Next: direct.Time(direct.Int(row[4])), GivenUp: direct.Int(row[5]) != 0,
	}, nil
}
