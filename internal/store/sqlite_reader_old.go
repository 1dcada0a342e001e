package store

import (
	"context"
	"database/sql/driver"
	"time"

	"signalbox/internal/push"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/failure"
	"signalbox/internal/store/query"
)

// maxAhead is how far in the future a time may lie that is believed. Beyond, the clock stood ahead when it was written.
const maxAhead = time.Hour

const (
	queryLastPush = "SELECT last_push FROM meta"

	// A target of a fan-out that took late joiners stays until that has expired for as long, so that nobody becomes a target twice.
	stillTarget = "EXISTS (SELECT 1 FROM fanout f WHERE f.id = push.fanout AND f.late IN (1, 2) AND f.expires >= ?3)"

	// The targets of a campaign are counted as long as it has no counts of its own.
	targetsOfCampaigns = "(SELECT b.fanout FROM campaign c CROSS JOIN campaign_batch b ON b.campaign = c.id WHERE c.counts IS NULL)"

	// The time of its end, or what comes close to it: a push does not outlive its TTL, and who was accepted in the future is as old as the pushes around it.
	queryOldPushes = "SELECT id FROM push WHERE id > ?1 AND id <= ?2 AND place = 4" +
		" AND CASE WHEN ended <= ?4 THEN ended WHEN created <= ?4 THEN expires ELSE 0 END < ?3" +
		" AND (fanout IS NULL OR NOT " + stillTarget + " AND fanout NOT IN " + targetsOfCampaigns + ") ORDER BY id LIMIT ?5"
)

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
	found, err := query.List(ctx, r.lastOld[table], 1, idOf, a.cutoff(), a.future())
	if err != nil || len(found) == 0 {
		return 0, err
	}
	return int64(found[0]), nil
}

// pushesOver returns up to limit pushes behind after and up to last that have been final for long, in the order of their ids.
func (r *reader) pushesOver(ctx context.Context, after push.ID, last int64, a age, limit int) ([]push.ID, error) {
	return query.List(ctx, r.oldPushes, 1, idOf, int64(after), last, a.cutoff(), a.future(), limit)
}

// newestPush returns the id that was given out last.
func (r *reader) newestPush(ctx context.Context) (push.ID, error) {
	return query.One(ctx, r.lastPush, 1, idOf, failure.ErrCorrupt)
}

func idOf(row []driver.Value) (push.ID, error) { return push.ID(direct.Int(row[0])), nil }
