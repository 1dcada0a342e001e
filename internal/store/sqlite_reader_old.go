package store

import (
	"context"
	"database/sql/driver"
	"time"

	"signalbox/internal/store/direct"
	"signalbox/internal/store/query"
)

// maxAhead is how far in the future a time may lie that is believed. Beyond, the clock stood ahead when it was written.
const maxAhead = time.Hour

// retainedTable is a table whose rows are deleted when they are old. Their numbers grow with every write, whatever the clock shows.
type retainedTable struct{ name, number, time string }

var retainedTables = [...]retainedTable{
	oldPushes: {"push", "id", "created"}, oldKeys: {"idem", "push", "created"}, oldEvents: {"outbox", "seq", "at"}, oldFanouts: {"fanout", "id", "created"},
	oldRefusals: {"refused", "id", "at"}, oldArchive: {"archive", "id", "at"}, oldBatches: {"batch", "id", "created"},
}

// queryLastOld asks for the newest row that is old. It stands before every row that is young; what stands before it is old as well, even if its time lies in the
// future because the clock stood ahead.
func queryLastOld(t retainedTable) string {
	young := "SELECT " + t.number + " FROM " + t.name + " WHERE " + t.time + " >= ?1 AND " + t.time + " <= ?2 ORDER BY " + t.number + " LIMIT 1"
	return "SELECT " + t.number + " FROM " + t.name + " WHERE " + t.time + " < ?1 AND " + t.number + " < coalesce((" + young + "), 9223372036854775807)" +
		" ORDER BY " + t.number + " DESC LIMIT 1"
}

// age says what is old at a moment.
type age struct {
	now  time.Time
	keep time.Duration // older is old
}

func (a age) cutoff() int64 { return a.now.Add(-a.keep).UnixMicro() }
func (a age) future() int64 { return a.now.Add(maxAhead).UnixMicro() }

// lastOldIn returns the number of the newest row that is old in the table at this place of retainedTables, 0 if none is.
func (r *reader) lastOldIn(ctx context.Context, table int, a age) (int64, error) {
	found, err := query.List(ctx, r.lastOld[table], 1, number, a.cutoff(), a.future())
	if err != nil || len(found) == 0 {
		return 0, err
	}
	return found[0], nil
}

func number(row []driver.Value) (int64, error) { return direct.Int(row[0]), nil }
