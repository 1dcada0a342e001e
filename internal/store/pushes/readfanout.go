package pushes

import (
	"cmp"
	"context"
	"database/sql/driver"
	"slices"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/query"
)

const (
	queryCountTargets = "SELECT state, count(*) FROM push WHERE fanout = ? GROUP BY state"
	queryTargets      = selectStatus + " WHERE e.domain = ?1 AND p.fanout = ?2 AND p.id > ?3 AND (?4 < 0 OR p.state = ?4) ORDER BY p.id LIMIT ?5"

	selectRefused = "SELECT r.id, f.domain, r.subject, f.type, f.binary, f.priority, f.ack, f.created, f.expires, r.at, r.reason, r.fanout" +
		" FROM refused r CROSS JOIN fanout f ON f.id = r.fanout"
	refusedColumns = 12
	queryRefused   = selectRefused + " WHERE f.domain = ?1 AND r.fanout = ?2 AND r.id > ?3 ORDER BY r.id LIMIT ?4"
)

// refusedOf reads the columns of selectRefused.
func refusedOf(row []driver.Value) (push.Status, error) {
	at := direct.Time(direct.Int(row[9]))
	return push.Status{
		Push: push.Push{
			ID: push.ID(direct.Int(row[0])), To: endpoint.Key{Domain: direct.Text(row[1]), ID: direct.Text(row[2])}, Type: direct.Text(row[3]), Binary: direct.Int(row[4]) != 0,
			Priority: push.Priority(direct.Int(row[5])), Ack: push.Ack(direct.Int(row[6])), TTL: direct.Time(direct.Int(row[8])).Sub(direct.Time(direct.Int(row[7]))), Created: at,
			Fanout: push.ID(direct.Int(row[11])),
		},
		State: push.Rejected, History: []push.Change{{State: push.Rejected, At: at, Reason: direct.Text(row[10])}},
	}, nil
}

// Fanout returns one without counts, or push.ErrUnknown.
func (r *Reader) Fanout(ctx context.Context, domain string, id push.ID) (push.Fanout, error) {
	return query.One(ctx, r.findFanout, fanoutColumns, fanoutOf, push.ErrUnknown, int64(id), domain)
}

// CountsOf counts the targets of a fan-out by their states.
func (r *Reader) CountsOf(ctx context.Context, f push.Fanout) (push.Counts, error) {
	counts := push.Counts{}
	err := query.Each(ctx, r.countTargets, 2, func(row []driver.Value) error {
		state, err := StateOf(direct.Int(row[0]))
		counts[state] = int(direct.Int(row[1]))
		return err
	}, int64(f.ID))
	if f.Refused > 0 {
		counts[push.Rejected] += f.Refused
	}
	return counts, err
}

// Deliveries merges targets that are pushes with those that were refused, both in the order of their ids.
func (r *Reader) Deliveries(ctx context.Context, domain string, fanout push.ID, state push.State, after push.ID, limit int) ([]push.Status, error) {
	code := int64(-1)
	if state != "" {
		if code = StateCode(state); code < 0 {
			return nil, nil
		}
	}
	all, err := query.List(ctx, r.listTargets, statusColumns, statusOf, domain, int64(fanout), int64(after), code, limit)
	if err != nil || state != "" && state != push.Rejected {
		return all, err
	}
	refused, err := query.List(ctx, r.listRefused, refusedColumns, refusedOf, domain, int64(fanout), int64(after), limit)
	all = append(all, refused...)
	slices.SortFunc(all, func(a, b push.Status) int { return cmp.Compare(a.ID, b.ID) })
	return all[:min(limit, len(all))], err
}
