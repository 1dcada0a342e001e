// Package presences holds the SQL of presences, and of what events told of them: the statements of the one writer, and the columns that readers ask for.
package presences

import (
	"database/sql/driver"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/link"
	"signalbox/internal/store/direct"
)

// The columns that Of reads, of a presence p.
const (
	Select  = "p.state, p.since, p.last_heard, p.reason, p.resource, p.remote_addr, p.via, p.tls_version, p.bound, p.ended, p.end_reason"
	Columns = 11
)

const (
	selectTold  = "p.told, p.place, p.due"
	toldColumns = 3

	selectBefore  = "p.state, p.since, p.reason, p.ended, p.end_reason"
	beforeColumns = 5

	selectStored = "SELECT " + Select + ", " + selectTold + ", p.ep FROM presence p"
	queryOnline  = selectStored + " WHERE p.state = 'online' LIMIT ?"
	queryDue     = selectStored + " WHERE p.due > 0 AND p.due <= ? ORDER BY p.due LIMIT ?"
)

// QueryAnyDue asks whether events are due at a time.
const QueryAnyDue = "SELECT EXISTS (SELECT 1 FROM presence WHERE due > 0 AND due <= ?)"

// Told is what events told of an endpoint's presence, and when they tell next. The zero value: nothing was told, and nothing waits.
type Told struct {
	State endpoint.State // empty: none was told
	Place string         // where the session was that was told of as online
	Due   time.Time      // when an event is written, if there is news then; zero: none waits
}

// Stored is a row of the table.
type Stored struct {
	Num      int64 // of the endpoint
	Presence endpoint.Presence
	Told     Told
}

// Of reads the columns of Select, which are NULL where no presence was ever stored.
func Of(row []driver.Value) endpoint.Presence {
	if row[0] == nil {
		return endpoint.Presence{State: endpoint.StateNever}
	}
	return endpoint.Presence{
		State: endpoint.State(direct.Text(row[0])), Since: direct.Time(direct.Int(row[1])), LastHeard: direct.Time(direct.Int(row[2])), Reason: direct.Text(row[3]), Resource: direct.Text(row[4]),
		RemoteAddr: direct.Text(row[5]), Via: link.Via(direct.Text(row[6])), TLSVersion: direct.Text(row[7]), Bound: direct.Time(direct.Int(row[8])),
		LastEnd: direct.Time(direct.Int(row[9])), LastReason: direct.Text(row[10]),
	}
}

// toldOf reads the columns of selectTold.
func toldOf(row []driver.Value) Told {
	return Told{State: endpoint.State(direct.Text(row[0])), Place: direct.Text(row[1]), Due: direct.Time(direct.Int(row[2]))}
}

// Statements are prepared on the writer's connection. One goroutine at a time uses them. The methods hold no decisions.
type Statements struct {
	before, save, tell *direct.Stmt
	online, due        *direct.Stmt
	postpone, remove   *direct.Stmt

	row  [Columns + toldColumns + 1]driver.Value
	last [beforeColumns + toldColumns]driver.Value
}

// Prepare prepares everything on the writer's connection.
func Prepare(p *direct.Preparer) *Statements {
	return &Statements{
		before: p.Prepare("SELECT " + selectBefore + ", " + selectTold + " FROM presence p WHERE p.ep = ?"),
		save: p.Prepare("INSERT INTO presence (ep, state, since, last_heard, reason, resource, remote_addr, via, tls_version, bound, ended, end_reason, told, place, due)" +
			" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" +
			" ON CONFLICT (ep) DO UPDATE SET state = excluded.state, since = excluded.since, last_heard = excluded.last_heard, reason = excluded.reason," +
			" resource = excluded.resource, remote_addr = excluded.remote_addr, via = excluded.via, tls_version = excluded.tls_version, bound = excluded.bound," +
			" ended = excluded.ended, end_reason = excluded.end_reason," +
			" told = excluded.told, place = excluded.place, due = excluded.due"),
		tell:     p.Prepare("UPDATE presence SET told = ?, place = ?, due = ? WHERE ep = ?"),
		online:   p.Prepare(queryOnline),
		due:      p.Prepare(queryDue),
		postpone: p.Prepare("UPDATE presence SET due = max(due, ?) WHERE due > 0"),
		remove:   p.Prepare("DELETE FROM presence WHERE ep = ?"),
	}
}

// Before returns State, Since, Reason, LastEnd and LastReason of the presence that a new one follows, and what was told; the zero values: there was none.
func (s *Statements) Before(ep int64) (endpoint.Presence, Told, error) {
	row := s.last[:]
	found, err := s.before.Row(row, ep)
	if err != nil || !found {
		return endpoint.Presence{}, Told{}, err
	}
	return endpoint.Presence{
		State: endpoint.State(direct.Text(row[0])), Since: direct.Time(direct.Int(row[1])), Reason: direct.Text(row[2]), LastEnd: direct.Time(direct.Int(row[3])), LastReason: direct.Text(row[4]),
	}, toldOf(row[beforeColumns:]), nil
}

// Save stores the presence of an endpoint.
func (s *Statements) Save(ep int64, p *endpoint.Presence, after Told) error {
	return s.save.Run(ep, string(p.State), direct.Micros(p.Since), direct.Micros(p.LastHeard), p.Reason, p.Resource, p.RemoteAddr, string(p.Via), p.TLSVersion,
		direct.Micros(p.Bound), direct.Micros(p.LastEnd), p.LastReason, string(after.State), after.Place, direct.Micros(after.Due))
}

// Tell stores what was told of an endpoint's presence.
func (s *Statements) Tell(ep int64, after Told) error {
	return s.tell.Run(string(after.State), after.Place, direct.Micros(after.Due), ep)
}

// Online returns up to limit presences that are online.
func (s *Statements) Online(limit int) ([]Stored, error) { return s.list(s.online, int64(limit)) }

// Due returns up to limit presences of which events are due, the oldest first.
func (s *Statements) Due(now time.Time, limit int) ([]Stored, error) {
	return s.list(s.due, direct.Micros(now), int64(limit))
}

func (s *Statements) list(query *direct.Stmt, args ...driver.Value) (found []Stored, err error) {
	row := s.row[:]
	err = query.Each(row, func() error {
		found = append(found, Stored{direct.Int(row[Columns+toldColumns]), Of(row), toldOf(row[Columns:])})
		return nil
	}, args...)
	return found, err
}

// Postpone has no event that waits be due before a time.
func (s *Statements) Postpone(until time.Time) error { return s.postpone.Run(direct.Micros(until)) }

// Remove deletes the presence of an endpoint.
func (s *Statements) Remove(ep int64) error { return s.remove.Run(ep) }
