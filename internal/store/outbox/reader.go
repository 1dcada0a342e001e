package outbox

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/events"
	"signalbox/internal/push"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/endpoints"
	"signalbox/internal/store/failure"
	"signalbox/internal/store/pushes"
	"signalbox/internal/store/query"
)

const (
	// A result stands in the event of the state that it came with. The limit is inside, so that names are looked up for what is read alone.
	queryEvents = "SELECT o.seq, o.at, o.kind, coalesce(e.domain, g.domain, ''), coalesce(e.id, g.id, ''), o.push, o.data, p.type, p.fanout," +
		" CASE WHEN p.state = o.kind THEN p.result END" +
		" FROM (SELECT seq, at, kind, ep, push, data FROM outbox WHERE seq > ?1 ORDER BY seq LIMIT ?2) o" +
		" LEFT JOIN endpoint e ON e.num = o.ep LEFT JOIN gone g ON g.num = o.ep LEFT JOIN push p ON p.id = o.push ORDER BY o.seq"
	eventColumnsRead = 10

	queryEndpointEvents = "SELECT seq, at, kind, data FROM outbox INDEXED BY outbox_endpoint WHERE ep = " + endpoints.NumOf + " AND push IS NULL AND at <= ?3 ORDER BY seq DESC LIMIT ?4"

	queryEventBounds = "SELECT deleted_event, last_event FROM meta"

	querySlowestReader = "SELECT seq FROM event_reader ORDER BY seq LIMIT 1"

	// maxEventBytes bounds the data of the events of one read; one event is read whatever it has.
	maxEventBytes = 1 << 20
)

// Reader reads on connections that see what is committed. All methods may be called concurrently.
type Reader struct {
	events, bounds, slowest, ofEndpoint *sql.Stmt
}

// NewReader prepares the queries.
func NewReader(ctx context.Context, db *sql.DB) (*Reader, error) {
	r := &Reader{}
	return r, query.Prepare(ctx, db, map[string]**sql.Stmt{
		queryEvents: &r.events, queryEventBounds: &r.bounds, querySlowestReader: &r.slowest, queryEndpointEvents: &r.ofEndpoint,
	})
}

// OfEndpoint returns up to limit events of an endpoint that are not about a push and happened until a time, the newest first; none of one that is not known.
func (r *Reader) OfEndpoint(ctx context.Context, k endpoint.Key, until time.Time, limit int) ([]events.Event, error) {
	return query.List(ctx, r.ofEndpoint, 4, func(row []driver.Value) (events.Event, error) {
		return eventOf([]driver.Value{row[0], row[1], row[2], k.Domain, k.ID, nil, row[3], nil, nil, nil})
	}, k.Domain, k.ID, direct.Micros(until), limit)
}

var errEnough = errors.New("enough was read")

// Events returns events behind after, fewer than limit where they are long.
func (r *Reader) Events(ctx context.Context, after int64, limit int) ([]events.Event, error) {
	var all []events.Event
	size := 0
	err := query.Each(ctx, r.events, eventColumnsRead, func(row []driver.Value) error {
		e, err := eventOf(row)
		if err != nil {
			return err
		}
		if size += len(e.Data); size > maxEventBytes && len(all) > 0 {
			return errEnough
		}
		all = append(all, e)
		return nil
	}, after, limit)
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	return all, nil
}

// Bounds returns which events there are.
func (r *Reader) Bounds(ctx context.Context) (events.Bounds, error) {
	return query.One(ctx, r.bounds, 2, func(row []driver.Value) (events.Bounds, error) {
		return events.Bounds{Deleted: direct.Int(row[0]), Newest: direct.Int(row[1])}, nil
	}, failure.ErrCorrupt)
}

// Slowest returns how far all registered readers have read; held is false if there are none.
func (r *Reader) Slowest(ctx context.Context) (seq int64, held bool, err error) {
	seqs, err := query.List(ctx, r.slowest, 1, func(row []driver.Value) (int64, error) { return direct.Int(row[0]), nil })
	if err != nil || len(seqs) == 0 {
		return 0, false, err
	}
	return seqs[0], true, nil
}

// eventOf reads the columns of queryEvents.
func eventOf(row []driver.Value) (events.Event, error) {
	kind := direct.Int(row[2])
	name := TypeOf(kind)
	if name == "" || row[5] != nil && kind >= int64(len(pushes.States)) {
		return events.Event{}, fmt.Errorf("stored event has the unknown kind %d", kind)
	}
	e := events.Event{Seq: direct.Int(row[0]), At: direct.Time(direct.Int(row[1])), Type: name, Domain: direct.Text(row[3]), Endpoint: direct.Text(row[4])}
	if row[5] == nil {
		e.Data = json.RawMessage(direct.Text(row[6]))
		if len(e.Data) == 0 {
			e.Data = json.RawMessage("{}")
		}
		return e, nil
	}
	id := push.ID(direct.Int(row[5]))
	e.Push = id.String()
	reason, by := pushes.ReplacedBy(direct.Text(row[6]))
	data := events.PushData{ID: e.Push, To: e.Endpoint, Type: direct.Text(row[7]), State: string(pushes.States[kind]), Reason: reason}
	if by != 0 {
		data.By = by.String()
	}
	if fanout := push.ID(direct.Int(row[8])); fanout != 0 {
		e.Fanout = fanout.String()
		data.Fanout = e.Fanout
	}
	if result := direct.Text(row[9]); result != "" {
		data.Result = json.RawMessage(result)
	}
	var err error
	if e.Data, err = events.Encode(data); err != nil {
		return events.Event{}, fmt.Errorf("encode event %d: %w", e.Seq, err)
	}
	return e, nil
}
