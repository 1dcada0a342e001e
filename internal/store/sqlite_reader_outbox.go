package store

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"

	"signalbox/internal/events"
	"signalbox/internal/push"
	"signalbox/internal/store/direct"
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

	queryEventBounds = "SELECT deleted_event, last_event FROM meta"

	querySlowestReader = "SELECT seq FROM event_reader ORDER BY seq LIMIT 1"

	// maxEventBytes bounds the data of the events of one read; one event is read whatever it has.
	maxEventBytes = 1 << 20
)

var errEnough = errors.New("enough was read")

// events returns events behind after, fewer than limit where they are long.
func (r *reader) events(ctx context.Context, after int64, limit int) ([]events.Event, error) {
	var all []events.Event
	size := 0
	err := query.Each(ctx, r.listEvents, eventColumnsRead, func(row []driver.Value) error {
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

func (r *reader) boundsOfEvents(ctx context.Context) (events.Bounds, error) {
	return query.One(ctx, r.eventBounds, 2, func(row []driver.Value) (events.Bounds, error) {
		return events.Bounds{Deleted: direct.Int(row[0]), Newest: direct.Int(row[1])}, nil
	}, failure.ErrCorrupt)
}

// slowestEventReader returns how far all registered readers have read; held is false if there are none.
func (r *reader) slowestEventReader(ctx context.Context) (seq int64, held bool, err error) {
	seqs, err := query.List(ctx, r.slowestReader, 1, func(row []driver.Value) (int64, error) { return direct.Int(row[0]), nil })
	if err != nil || len(seqs) == 0 {
		return 0, false, err
	}
	return seqs[0], true, nil
}

// eventOf reads the columns of queryEvents.
func eventOf(row []driver.Value) (events.Event, error) {
	kind := direct.Int(row[2])
	if kind < 0 || kind >= kindsEnd || row[5] != nil && kind >= int64(len(pushes.States)) {
		return events.Event{}, fmt.Errorf("stored event has the unknown kind %d", kind)
	}
	e := events.Event{Seq: direct.Int(row[0]), At: direct.Time(direct.Int(row[1])), Type: kindTypes[kind], Domain: direct.Text(row[3]), Endpoint: direct.Text(row[4])}
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
