package store

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/failure"
	"signalbox/internal/store/presences"
	"signalbox/internal/store/query"
)

const (
	// The join is crossed so that the ids lead, each to one endpoint.
	queryByID = selectRecord + " FROM json_each(?2) j CROSS JOIN endpoint e ON e.domain = ?1 AND e.id = j.value LEFT JOIN presence p ON p.ep = e.num"

	// One statement, so that all of it is read at one time; a row without an endpoint carries the number where there is none. What was never told shows as never.
	querySnapshot = "SELECT m.last_event, coalesce(nullif(p.told, ''), 'never'), e.domain, e.id, e.enabled, e.created, e.updated, e.labels, e.groups, " + presences.Select +
		" FROM meta m LEFT JOIN (endpoint e LEFT JOIN presence p ON p.ep = e.num)" +
		" ON e.domain = ?1 AND (?2 = '' OR coalesce(nullif(p.told, ''), 'never') = ?2)" +
		" AND (?3 = '' OR instr(e.id, ?3) > 0) AND (?4 = '' OR EXISTS (SELECT 1 FROM json_each(e.groups) g WHERE g.value = ?4))" +
		" AND (?5 = '' OR EXISTS (SELECT 1 FROM json_each(e.labels) l WHERE l.key = ?5 AND l.value = ?6)) ORDER BY e.id"
)

// presencesDue reports whether events of presences are due.
func (r *reader) presencesDue(ctx context.Context, now time.Time) (due bool, err error) {
	err = r.anyUntold.QueryRowContext(ctx, direct.Micros(now)).Scan(&due)
	return due, failure.Of(err)
}

// EndpointsByID implements endpoint.Surveys.
func (s *Store) EndpointsByID(ctx context.Context, domain string, ids []string) ([]endpoint.Record, error) {
	text, err := json.Marshal(ids)
	if err != nil {
		return nil, fmt.Errorf("encode ids: %w", err)
	}
	waiting := s.queue.unsaved() // before the read, as in Endpoint
	rs, err := query.List(ctx, s.reader.findByID, recordColumns, recordOf, domain, string(text))
	for i := range rs {
		if p, ok := waiting[rs[i].Key]; ok {
			rs[i].Presence = p.Beside(rs[i].Presence)
		}
	}
	return rs, err
}

// Snapshot implements endpoint.Surveys.
func (s *Store) Snapshot(ctx context.Context, q endpoint.Query, f func(endpoint.Told) error) (seq int64, err error) {
	name, value, _ := strings.Cut(q.Label, "=")
	err = query.Each(ctx, s.reader.snapshot, 2+recordColumns, func(row []driver.Value) error {
		seq = direct.Int(row[0])
		if row[2] == nil {
			return nil
		}
		r, err := recordOf(row[2:])
		if err != nil {
			return err
		}
		return f(endpoint.Told{Record: r, State: endpoint.State(direct.Text(row[1]))})
	}, q.Domain, string(q.State), q.Search, q.Group, name, value)
	return seq, err
}
