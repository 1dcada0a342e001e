package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/presences"
)

type endpointStmts struct {
	insert, find, update, bury, remove      *direct.Stmt
	removeBodies, removePushes, openTargets *direct.Stmt

	row [recordColumns]driver.Value
}

// The columns that recordOf reads.
const (
	selectRecord = "SELECT e.domain, e.id, e.enabled, e.created, e.updated, e.labels, e.groups, " + presences.Select
	fromRecord   = " FROM endpoint e LEFT JOIN presence p ON p.ep = e.num"

	queryPushesOf = "SELECT id FROM push WHERE ep = ? ORDER BY place, id LIMIT ?"

	// The plus keeps the index of all targets out of it.
	queryOpenTargets = "SELECT fanout, count(*) FROM push WHERE id IN (" + queryPushesOf + ") AND place < 4 AND +fanout IS NOT NULL GROUP BY fanout"

	recordColumns = 7 + presences.Columns
)

func newEndpointStmts(p *direct.Preparer) endpointStmts {
	return endpointStmts{
		insert: p.Prepare("INSERT INTO endpoint (num, domain, id, enabled, created, updated, labels, groups, secret)" +
			" VALUES (1 + max(coalesce((SELECT max(num) FROM endpoint), 0), coalesce((SELECT max(num) FROM gone), 0)), ?, ?, ?, ?, ?, ?, ?, ?)" +
			" ON CONFLICT (domain, id) DO NOTHING"),
		find: p.Prepare(selectRecord + fromRecord + " WHERE e.domain = ? AND e.id = ?"),
		update: p.Prepare("UPDATE endpoint SET enabled = ?, updated = ?, labels = ?, groups = ?, secret = coalesce(?, secret)" +
			" WHERE domain = ? AND id = ?"),
		bury:         p.Prepare("INSERT INTO gone (num, domain, id, seq) SELECT num, domain, id, ? FROM endpoint WHERE num = ?"),
		remove:       p.Prepare("DELETE FROM endpoint WHERE num = ?"),
		openTargets:  p.Prepare(queryOpenTargets),
		removeBodies: p.Prepare("DELETE FROM push_body WHERE id IN (" + queryPushesOf + ")"),
		removePushes: p.Prepare("DELETE FROM push WHERE id IN (" + queryPushesOf + ")"),
	}
}

// insertEndpoint stores e and reports false if there is one of this key.
func (t *tx) insertEndpoint(e *endpoint.Endpoint, s endpoint.Secret) (bool, error) {
	labels, groups, err := encodeSets(e)
	if err != nil {
		return false, err
	}
	secret, err := json.Marshal(s)
	if err != nil {
		return false, fmt.Errorf("encode secret: %w", err)
	}
	n, err := t.endpoint.insert.Exec(e.Domain, e.ID, direct.Flag(e.Enabled), direct.Micros(e.Created), direct.Micros(e.Updated), labels, groups, string(secret))
	return n == 1, err
}

// findRecord returns an endpoint with its presence, or endpoint.ErrUnknown.
func (t *tx) findRecord(k endpoint.Key) (endpoint.Record, error) {
	row := t.endpoint.row[:]
	found, err := t.endpoint.find.Row(row, k.Domain, k.ID)
	if err != nil {
		return endpoint.Record{}, err
	}
	if !found {
		return endpoint.Record{}, endpoint.ErrUnknown
	}
	return recordOf(row)
}

// updateEndpoint writes what can change of e; a nil secret stays as it is. Another secret and being disabled end its tokens.
func (t *tx) updateEndpoint(e *endpoint.Endpoint, s *endpoint.Secret) error {
	labels, groups, err := encodeSets(e)
	if err != nil {
		return err
	}
	var secret driver.Value
	if s != nil {
		b, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("encode secret: %w", err)
		}
		secret = string(b)
	}
	if s != nil || !e.Enabled {
		num, _, err := t.findEndpoint(e.Key)
		if err != nil {
			return err
		}
		if err := t.fast.removeAll.Run(num); err != nil {
			return err
		}
	}
	return t.endpoint.update.Run(direct.Flag(e.Enabled), direct.Micros(e.Updated), labels, groups, secret, e.Domain, e.ID)
}

// deletePushesOf deletes up to limit pushes of an endpoint with their payloads and returns how many there were.
func (t *tx) deletePushesOf(num int64, limit int) (int64, error) {
	err := t.endpoint.openTargets.Each(t.row2[:], func() error {
		t.closeTargets(push.ID(direct.Int(t.row2[0])), direct.Int(t.row2[1]))
		return nil
	}, num, int64(limit))
	if err != nil {
		return 0, err
	}
	if err := t.endpoint.removeBodies.Run(num, int64(limit)); err != nil {
		return 0, err
	}
	return t.endpoint.removePushes.Exec(num, int64(limit))
}

// deleteEndpoint removes an endpoint that has no pushes, its presence and its tokens. The event written last is its last one.
func (t *tx) deleteEndpoint(num int64) error {
	if err := t.fast.removeAll.Run(num); err != nil {
		return err
	}
	if err := t.endpoint.bury.Run(t.lastEvent, num); err != nil {
		return err
	}
	if err := t.presence.Remove(num); err != nil {
		return err
	}
	return t.endpoint.remove.Run(num)
}

// encodeSets encodes labels and groups; nil gives the empty object or array.
func encodeSets(e *endpoint.Endpoint) (labels, groups string, err error) {
	labels, groups = "{}", "[]"
	if len(e.Labels) > 0 {
		b, err := json.Marshal(e.Labels)
		if err != nil {
			return "", "", fmt.Errorf("encode labels: %w", err)
		}
		labels = string(b)
	}
	if len(e.Groups) > 0 {
		b, err := json.Marshal(e.Groups)
		if err != nil {
			return "", "", fmt.Errorf("encode groups: %w", err)
		}
		groups = string(b)
	}
	return labels, groups, nil
}

// decodeSets reads what encodeSets wrote. Neither is nil, so that they show as empty and not as null.
func decodeSets(labels, groups string) (map[string]string, []string, error) {
	l, g := map[string]string{}, []string{}
	if labels != "{}" {
		if err := json.Unmarshal([]byte(labels), &l); err != nil {
			return nil, nil, fmt.Errorf("decode labels: %w", err)
		}
	}
	if groups != "[]" {
		if err := json.Unmarshal([]byte(groups), &g); err != nil {
			return nil, nil, fmt.Errorf("decode groups: %w", err)
		}
	}
	return l, g, nil
}

// recordOf reads the columns of selectRecord.
func recordOf(row []driver.Value) (endpoint.Record, error) {
	r := endpoint.Record{Endpoint: endpoint.Endpoint{
		Key: endpoint.Key{Domain: direct.Text(row[0]), ID: direct.Text(row[1])}, Enabled: direct.Int(row[2]) != 0, Created: direct.Time(direct.Int(row[3])), Updated: direct.Time(direct.Int(row[4])),
	}}
	var err error
	if r.Labels, r.Groups, err = decodeSets(direct.Text(row[5]), direct.Text(row[6])); err != nil {
		return endpoint.Record{}, fmt.Errorf("read %s: %w", r.Key, err)
	}
	r.Presence = presences.Of(row[7:])
	return r, nil
}
