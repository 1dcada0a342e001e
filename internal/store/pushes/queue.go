package pushes

import (
	"database/sql/driver"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/store/direct"
)

type queueStmts struct {
	file, move, leave, filed, unfiled *direct.Stmt

	row [6]driver.Value
}

const queryUnfiled = "SELECT p.id, p.ep, p.place, p.size, e.domain, e.id FROM push p CROSS JOIN endpoint e ON e.num = p.ep WHERE p.id > (SELECT filed FROM meta)" +
	" AND NOT EXISTS (SELECT 1 FROM queue q WHERE q.ep = p.ep AND q.place = p.place AND q.id = p.id) ORDER BY p.id"

func newQueueStmts(p *direct.Preparer) queueStmts {
	return queueStmts{
		file:    p.Prepare("INSERT INTO queue (ep, place, id, size) VALUES (?, ?, ?, ?)"),
		move:    p.Prepare("UPDATE queue SET place = ?4 WHERE ep = ?1 AND place = ?2 AND id = ?3"),
		leave:   p.Prepare("DELETE FROM queue WHERE (ep, place, id) = (SELECT ep, place, id FROM push WHERE id = ? AND place = 4)"),
		filed:   p.Prepare("UPDATE meta SET filed = ? WHERE one = 1"),
		unfiled: p.Prepare(queryUnfiled),
	}
}

// Recent returns those pushes that are not in the table of queues yet.
func (s *Statements) Recent() *Recent { return s.recent }

// ReadRecent reads which pushes an earlier process left recent.
func (s *Statements) ReadRecent() error {
	row := s.queue.row[:]
	return s.queue.unfiled.Each(row, func() error {
		s.recent.enter(&recent{
			id: push.ID(direct.Int(row[0])), ep: direct.Int(row[1]), place: direct.Int(row[2]), size: direct.Int(row[3]),
			key: endpoint.Key{Domain: direct.Text(row[4]), ID: direct.Text(row[5])},
		})
		return nil
	})
}

// FileDue files what is due. It is called at the end of every transaction, before Filed or Unfiled.
func (s *Statements) FileDue() error {
	for ep := range s.recent.due() {
		if err := s.fileOf(ep); err != nil {
			return err
		}
	}
	if behind, ok := s.recent.over(); ok {
		return s.queue.filed.Run(int64(behind))
	}
	return nil
}

// Filed is called once a transaction is committed, Unfiled once it has failed.
func (s *Statements) Filed()   { s.recent.commit() }
func (s *Statements) Unfiled() { s.recent.rollback() }

// fileOf files all recent pushes of an endpoint, for those statements that read queues in the table alone.
func (s *Statements) fileOf(ep int64) error {
	for _, p := range s.recent.of[ep] {
		if !s.recent.leave(p.id) {
			continue
		}
		if err := s.queue.file.Run(ep, p.place, int64(p.id), p.size); err != nil {
			return err
		}
	}
	return nil
}

// move gives a push another place in the queue of its endpoint.
func (s *Statements) move(ep int64, id push.ID, from, to int64) error {
	if from == to || s.recent.move(id, to) {
		return nil
	}
	return s.queue.move.Run(ep, from, int64(id), to)
}

// leave takes a push that is to be deleted, and is final, out of the queue of its endpoint.
func (s *Statements) leave(id push.ID) error {
	if s.recent.final(id) {
		s.recent.leave(id)
		return nil
	}
	return s.queue.leave.Run(int64(id))
}
