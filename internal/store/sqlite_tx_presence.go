package store

import (
	"database/sql/driver"

	"signalbox/internal/endpoint"
	"signalbox/internal/store/direct"
)

type presenceStmts struct {
	before, save, tell *direct.Stmt
	online, due        *direct.Stmt
	postpone           *direct.Stmt

	row  [presenceColumns + toldColumns + 1]driver.Value
	last [beforeColumns + toldColumns]driver.Value
}

const (
	selectTold  = "p.told, p.place, p.due"
	toldColumns = 3

	selectBefore  = "p.state, p.since, p.reason, p.ended, p.end_reason"
	beforeColumns = 5

	selectDue   = "SELECT " + selectPresence + ", " + selectTold + ", p.ep FROM presence p"
	queryOnline = selectDue + " WHERE p.state = 'online' LIMIT ?"
	queryUntold = selectDue + " WHERE p.due > 0 AND p.due <= ? ORDER BY p.due LIMIT ?"
)

func newPresenceStmts(p *direct.Preparer) presenceStmts {
	return presenceStmts{
		before: p.Prepare("SELECT " + selectBefore + ", " + selectTold + " FROM presence p WHERE p.ep = ?"),
		save: p.Prepare("INSERT INTO presence (ep, state, since, last_heard, reason, resource, remote_addr, via, tls_version, bound, ended, end_reason, told, place, due)" +
			" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" +
			" ON CONFLICT (ep) DO UPDATE SET state = excluded.state, since = excluded.since, last_heard = excluded.last_heard, reason = excluded.reason," +
			" resource = excluded.resource, remote_addr = excluded.remote_addr, via = excluded.via, tls_version = excluded.tls_version, bound = excluded.bound," +
			" ended = excluded.ended, end_reason = excluded.end_reason," +
			" told = excluded.told, place = excluded.place, due = excluded.due"),
		tell:     p.Prepare("UPDATE presence SET told = ?, place = ?, due = ? WHERE ep = ?"),
		online:   p.Prepare(queryOnline),
		due:      p.Prepare(queryUntold),
		postpone: p.Prepare("UPDATE presence SET due = max(due, ?) WHERE due > 0"),
	}
}

// presenceBefore is what a new presence follows. The zero value: there was none.
type presenceBefore struct {
	endpoint.Presence // State, Since, Reason, LastEnd and LastReason
	told              told
}

func (t *tx) presenceBefore(ep int64) (presenceBefore, error) {
	row := t.presence.last[:]
	found, err := t.presence.before.Row(row, ep)
	if err != nil || !found {
		return presenceBefore{}, err
	}
	return presenceBefore{
		endpoint.Presence{
			State: endpoint.State(direct.Text(row[0])), Since: direct.Time(direct.Int(row[1])), Reason: direct.Text(row[2]), LastEnd: direct.Time(direct.Int(row[3])), LastReason: direct.Text(row[4]),
		},
		toldOf(row[beforeColumns:]),
	}, nil
}

// toldOf reads the columns of selectTold.
func toldOf(row []driver.Value) told {
	return told{state: endpoint.State(direct.Text(row[0])), place: direct.Text(row[1]), due: direct.Time(direct.Int(row[2]))}
}

func (t *tx) writePresence(ep int64, p *endpoint.Presence, after told) error {
	return t.presence.save.Run(ep, string(p.State), direct.Micros(p.Since), direct.Micros(p.LastHeard), p.Reason, p.Resource, p.RemoteAddr, string(p.Via), p.TLSVersion,
		direct.Micros(p.Bound), direct.Micros(p.LastEnd), p.LastReason, string(after.state), after.place, direct.Micros(after.due))
}

func (t *tx) writeTold(ep int64, after told) error {
	return t.presence.tell.Run(string(after.state), after.place, direct.Micros(after.due), ep)
}

// storedPresence is a row of the table.
type storedPresence struct {
	num      int64
	presence endpoint.Presence
	told     told
}

// presences returns the rows of a query of selectDue.
func (t *tx) presences(query *direct.Stmt, args ...driver.Value) (found []storedPresence, err error) {
	row := t.presence.row[:]
	err = query.Each(row, func() error {
		found = append(found, storedPresence{num: direct.Int(row[presenceColumns+toldColumns]), presence: presenceOf(row), told: toldOf(row[presenceColumns:])})
		return nil
	}, args...)
	return found, err
}
