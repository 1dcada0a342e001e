// Package pushes holds the SQL of pushes and of pushes to many: the statements of the one writer, and the readers' queries.
package pushes

import (
	"database/sql/driver"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"signalbox/internal/campaign"
	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/store/direct"
)

// Statements are prepared on the writer's connection. One goroutine at a time uses them. The methods hold no decisions.
type Statements struct {
	recent *Recent

	push   pushStmts
	queue  queueStmts
	fanout fanoutStmts
	room   roomStmts
	late   lateStmts
	old    oldStmts

	row2 [2]driver.Value // reused for short rows
}

// Prepare prepares everything on the writer's connection.
func Prepare(p *direct.Preparer) *Statements {
	return &Statements{recent: newRecent(), push: newPushStmts(p), queue: newQueueStmts(p), fanout: newFanoutStmts(p), room: newRoomStmts(p), late: newLateStmts(p), old: newOldStmts(p)}
}

type pushStmts struct {
	insert, insertSpecial, insertBody, find, findAll, status       *direct.Stmt
	update, deleteBody, expired                                    *direct.Stmt
	removeBodies, removePushes, removeQueue, openTargets           *direct.Stmt
	findKey, insertKey, forgetKey, insertBatch, updateBatch, batch *direct.Stmt

	found  [findColumns]driver.Value
	row    [statusColumns]driver.Value
	keyRow [3]driver.Value
}

// The columns that statusOf reads, and the place of some of them.
const (
	selectStatus = "SELECT p.id, e.domain, e.id, p.state, p.ack, p.priority, p.binary, p.created, p.expires, p.type, p.history, p.result, p.fanout, p.collapse, p.not_before" +
		" FROM push p CROSS JOIN endpoint e ON e.num = p.ep"
	statusColumns = 15

	selectRow     = "SELECT p.id, p.ep, e.domain, e.id, p.state, p.ack, p.priority, p.expires > p.created, p.size, p.fanout, p.history, p.collapse, p.place FROM"
	queryFindPush = selectRow + " push p CROSS JOIN endpoint e ON e.num = p.ep WHERE p.id = ?"
	queryFindAll  = selectRow + " json_each(?) j CROSS JOIN push p ON p.id = j.value CROSS JOIN endpoint e ON e.num = p.ep"
	findColumns   = 13

	columnID       = 0
	columnDomain   = 1
	columnSubject  = 2
	columnState    = 3
	columnAck      = 4
	columnPriority = 5
	columnCreated  = 7
	columnExpires  = 8
	columnHistory  = 10
)

const (
	queryFindKey = "SELECT push, body, created FROM idem WHERE hash = ? AND token = ? AND key = ?"
	queryExpired = "SELECT id FROM push WHERE place < 4 AND expires <= ?1 AND (expires > created OR created <= ?2) ORDER BY expires LIMIT ?3"
)

const (
	queryPushesOf = "SELECT id FROM queue WHERE ep = ? ORDER BY place, id LIMIT ?"

	// The plus keeps the index of all targets out of it.
	queryOpenTargets = "SELECT fanout, count(*) FROM push WHERE id IN (" + queryPushesOf + ") AND place < 4 AND +fanout IS NOT NULL GROUP BY fanout"
)

func newPushStmts(p *direct.Preparer) pushStmts {
	return pushStmts{
		insert: p.Prepare("INSERT INTO push (id, ep, state, place, ack, priority, binary, size, created, expires, ended, type, history)" +
			" VALUES (?, ?, 0, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)"),
		insertSpecial: p.Prepare("INSERT INTO push (id, ep, state, place, ack, priority, binary, size, created, expires, ended, type, history, fanout, collapse, not_before)" +
			" VALUES (?, ?, 0, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?)"),
		insertBody:   p.Prepare("INSERT INTO push_body (id, body) VALUES (?, ?)"),
		find:         p.Prepare(queryFindPush),
		findAll:      p.Prepare(queryFindAll),
		status:       p.Prepare(selectStatus + " WHERE p.id = ?"),
		update:       p.Prepare("UPDATE push SET state = ?, place = ?, ended = ?, history = ?, result = ? WHERE id = ?"),
		deleteBody:   p.Prepare("DELETE FROM push_body WHERE id = ?"),
		findKey:      p.Prepare(queryFindKey),
		insertKey:    p.Prepare("INSERT INTO idem (push, hash, token, key, body, created) VALUES (?, ?, ?, ?, ?, ?)"),
		forgetKey:    p.Prepare("DELETE FROM idem WHERE push = ? AND token = '" + campaign.KeyToken + "'"),
		insertBatch:  p.Prepare("INSERT INTO batch (id, answers, created) VALUES (?, ?, ?)"),
		updateBatch:  p.Prepare("UPDATE batch SET answers = ? WHERE id = ?"),
		batch:        p.Prepare("SELECT answers FROM batch WHERE id = ?"),
		expired:      p.Prepare(queryExpired),
		openTargets:  p.Prepare(queryOpenTargets),
		removeBodies: p.Prepare("DELETE FROM push_body WHERE id IN (" + queryPushesOf + ")"),
		removePushes: p.Prepare("DELETE FROM push WHERE id IN (" + queryPushesOf + ")"),
		removeQueue:  p.Prepare("DELETE FROM queue WHERE ep = ?1 AND (ep, place, id) IN (SELECT ep, place, id FROM queue WHERE ep = ?1 ORDER BY place, id LIMIT ?2)"),
	}
}

// plainColumns are those of a push that is nothing special.
const plainColumns = 11

// Insert stores p, which is Accepted, with its payload unless its TTL is 0 or its fan-out has it.
func (s *Statements) Insert(ep int64, p *push.Push) error {
	size := KeptBytes(p)
	at := p.Created.UnixMicro()
	history := AppendChange(make([]byte, 0, entryHead), 0, at, "")
	args := [...]driver.Value{
		int64(p.ID), ep, firstPlace(p), int64(p.Ack), int64(p.Priority), formOf(p), size, at, p.Expires().UnixMicro(), p.Type, history,
		idOrNull(p.Fanout), textOrNull(p.CollapseKey), timeOrNull(p.NotBefore),
	}
	var err error
	if p.Fanout == 0 && p.CollapseKey == "" && p.NotBefore.IsZero() {
		err = s.push.insert.Run(args[:plainColumns]...)
	} else {
		err = s.push.insertSpecial.Run(args[:]...)
	}
	if err != nil {
		return err
	}
	s.recent.add(recent{id: p.ID, key: p.To, ep: ep, place: firstPlace(p), size: size})
	if size == 0 || p.Fanout != 0 {
		return nil
	}
	return s.push.insertBody.Run(int64(p.ID), p.Payload)
}

// Key is what an idempotency key was used for.
type Key struct {
	Push    push.ID // or what else was made: a push to many, a batch, a campaign
	Body    [16]byte
	Created time.Time
}

// keyHash is the indexed number of a key, which is a piece of a hash itself: keys of several callers rarely share one.
func keyHash(i *push.Idempotency) int64 { return int64(binary.BigEndian.Uint64(i.Key[:])) }

// FindKey returns what a key was used for.
func (s *Statements) FindKey(i *push.Idempotency) (used Key, found bool, err error) {
	row := s.push.keyRow[:]
	found, err = s.push.findKey.Row(row, keyHash(i), i.Token, i.Key[:])
	if err != nil || !found {
		return Key{}, false, err
	}
	used = Key{Push: push.ID(direct.Int(row[0])), Created: direct.Time(direct.Int(row[2]))}
	copy(used.Body[:], direct.Bytes(row[1]))
	return used, true, nil
}

// InsertKey keeps a key.
func (s *Statements) InsertKey(i *push.Idempotency, id push.ID, created time.Time) error {
	return s.push.insertKey.Run(int64(id), keyHash(i), i.Token, i.Key[:], i.Body[:], created.UnixMicro())
}

// ForgetBatchKey deletes the key with which a batch of a campaign was sent.
func (s *Statements) ForgetBatchKey(fanout push.ID) error { return s.push.forgetKey.Run(int64(fanout)) }

// BatchAnswers returns what is kept of the answers to a batch; empty: there is no such batch.
func (s *Statements) BatchAnswers(id push.ID) (string, error) {
	s.row2[0] = nil
	_, err := s.push.batch.Row(s.row2[:1], int64(id))
	return direct.Text(s.row2[0]), err
}

// Expired returns up to limit pushes whose TTL was over at now, the oldest first.
func (s *Statements) Expired(now time.Time, limit int) ([]push.ID, error) {
	var ids []push.ID
	err := s.push.expired.Each(s.row2[:1], func() error {
		ids = append(ids, push.ID(direct.Int(s.row2[0])))
		return nil
	}, now.UnixMicro(), now.Add(-push.NowGrace).UnixMicro(), int64(limit))
	return ids, err
}

// OpenTargets calls f with every push to many of which some of the first limit pushes of an endpoint are targets that are not final, and with how many.
func (s *Statements) OpenTargets(ep int64, limit int, f func(fanout push.ID, n int64)) error {
	if err := s.fileOf(ep); err != nil {
		return err
	}
	return s.push.openTargets.Each(s.row2[:], func() error {
		f(push.ID(direct.Int(s.row2[0])), direct.Int(s.row2[1]))
		return nil
	}, ep, int64(limit))
}

// DeleteOf deletes the first limit pushes of an endpoint with their payloads and returns how many there were.
func (s *Statements) DeleteOf(ep int64, limit int) (int64, error) {
	if err := s.fileOf(ep); err != nil {
		return 0, err
	}
	if err := s.push.removeBodies.Run(ep, int64(limit)); err != nil {
		return 0, err
	}
	n, err := s.push.removePushes.Exec(ep, int64(limit))
	if err != nil {
		return 0, err
	}
	return n, s.push.removeQueue.Run(ep, int64(limit))
}

// InsertBatch keeps the answers to a batch.
func (s *Statements) InsertBatch(id push.ID, answers string, now time.Time) error {
	return s.push.insertBatch.Run(int64(id), answers, now.UnixMicro())
}

// UpdateBatch replaces the answers to a batch.
func (s *Statements) UpdateBatch(id push.ID, answers string) error {
	return s.push.updateBatch.Run(answers, int64(id))
}

// Status returns one push as the API shows it.
func (s *Statements) Status(id push.ID) (push.Status, error) {
	found, err := s.push.status.Row(s.push.row[:], int64(id))
	if err != nil {
		return push.Status{}, err
	}
	if !found {
		return push.Status{}, push.ErrUnknown
	}
	return statusOf(s.push.row[:])
}

// statusOf reads the columns of selectStatus.
func statusOf(row []driver.Value) (push.Status, error) {
	created, expires := direct.Time(direct.Int(row[columnCreated])), direct.Time(direct.Int(row[columnExpires]))
	s := push.Status{Push: push.Push{
		ID: push.ID(direct.Int(row[columnID])), To: endpoint.Key{Domain: direct.Text(row[columnDomain]), ID: direct.Text(row[columnSubject])}, Type: direct.Text(row[9]),
		Binary: direct.Int(row[6]) == formBinary, Message: direct.Int(row[6]) == formMessage, Priority: push.Priority(direct.Int(row[columnPriority])),
		Ack: push.Ack(direct.Int(row[columnAck])), TTL: expires.Sub(created), Created: created,
		Fanout: push.ID(direct.Int(row[12])), CollapseKey: direct.Text(row[13]), NotBefore: direct.Time(direct.Int(row[14])),
	}}
	if result := direct.Text(row[11]); result != "" {
		s.Result = json.RawMessage(result)
	}
	var err error
	if s.State, err = StateOf(direct.Int(row[columnState])); err != nil {
		return push.Status{}, fmt.Errorf("read %s: %w", s.ID, err)
	}
	if s.History, err = decodeHistory(direct.Bytes(row[columnHistory])); err != nil {
		return push.Status{}, fmt.Errorf("read %s: %w", s.ID, err)
	}
	return s, nil
}
