package pushes

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/store/direct"
)

type fanoutStmts struct {
	insert, find, grow, closeTargets *direct.Stmt
	insertBody, deleteBody           *direct.Stmt
	candidate, candidates, members   *direct.Stmt
	insertPushes, insertEvents       *direct.Stmt
	refuse                           *direct.Stmt

	row      [fanoutColumns]driver.Value
	resolved [4]driver.Value
	member   [4]driver.Value
}

const (
	selectFanout  = "SELECT id, domain, type, binary, priority, ack, created, expires, targets, stored, refused, open, collapse, not_before, selector, reached, late FROM fanout"
	fanoutColumns = 17

	// What decides whether an endpoint takes a push, of one, or of each id in a JSON array. Number and bytes of what is not final share a column, because a second
	// one would search anew.
	selectCandidate = "e.num, e.enabled, (SELECT (count(*) << 40) + coalesce(sum(size), 0) FROM queue WHERE ep = e.num AND place < 4)"
	queryCandidate  = "SELECT " + selectCandidate + " FROM endpoint e WHERE e.domain = ? AND e.id = ?"
	// The endpoints that have a tag, and each of a JSON array of others.
	queryMembers = "SELECT " + selectCandidate + ", e.id FROM tagged g CROSS JOIN endpoint e ON e.num = g.ep WHERE g.domain = ?1 AND g.tag = ?2 AND g.ep > ?3" + otherTags + " ORDER BY g.ep LIMIT ?5"
	// The second tag by itself, because a JSON array costs ten times as much for each row.
	otherTags = " AND (?6 IS NULL OR EXISTS (SELECT 1 FROM tagged x WHERE x.domain = ?1 AND x.tag = ?6 AND x.ep = g.ep))" +
		" AND (?4 = '[]' OR NOT EXISTS (SELECT 1 FROM json_each(?4) j WHERE NOT EXISTS (SELECT 1 FROM tagged x WHERE x.domain = ?1 AND x.tag = j.value AND x.ep = g.ep)))"

	queryCandidates = "SELECT " + selectCandidate + ", j.key FROM json_each(?2) j CROSS JOIN endpoint e ON e.domain = ?1 AND e.id = j.value"
)

func newFanoutStmts(p *direct.Preparer) fanoutStmts {
	return fanoutStmts{
		insert: p.Prepare("INSERT INTO fanout (id, domain, type, binary, priority, ack, created, expires, targets, collapse, not_before, selector, late," +
			" stored, refused, open) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0)"),
		find:         p.Prepare(selectFanout + " WHERE id = ?"),
		grow:         p.Prepare("UPDATE fanout SET stored = stored + ?, refused = refused + ?, open = open + ?, targets = ?, reached = ? WHERE id = ?"),
		closeTargets: p.Prepare("UPDATE fanout SET open = open - ? WHERE id = ?"),
		insertBody:   p.Prepare("INSERT OR IGNORE INTO push_body (id, body) VALUES (?, ?)"),
		deleteBody:   p.Prepare("DELETE FROM push_body WHERE id = ?1 AND (SELECT open = 0 AND late <> 1 FROM fanout WHERE id = ?1)"),
		candidate:    p.Prepare(queryCandidate),
		candidates:   p.Prepare(queryCandidates),
		members:      p.Prepare(queryMembers),
		// The numbers of the endpoints come as a JSON array with 0 for those that are refused.
		insertPushes: p.Prepare("INSERT INTO push (id, ep, state, place, ack, priority, binary, size, created, expires, ended, type, history, fanout, collapse, not_before)" +
			" SELECT ?1 + key, value, 0, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?10, ?11, ?12, ?13, ?14 FROM json_each(?2) WHERE value > 0"),
		insertEvents: p.Prepare("INSERT INTO outbox (seq, at, kind, ep, push) SELECT ?1 + key, ?3, 0, value, ?4 + key FROM json_each(?2) WHERE value > 0"),
		refuse:       p.Prepare("INSERT INTO refused (id, fanout, subject, reason, at) VALUES (?, ?, ?, ?, ?)"),
	}
}

// InsertFanout stores a push to many without targets.
func (s *Statements) InsertFanout(p *push.Push, c *push.FanoutChunk) error {
	var selector driver.Value
	if !c.Selector.Empty() {
		text, err := json.Marshal(c.Selector)
		if err != nil {
			return fmt.Errorf("encode selector: %w", err)
		}
		selector = string(text)
	}
	return s.fanout.insert.Run(int64(p.ID), p.To.Domain, p.Type, formOf(p), int64(p.Priority), int64(p.Ack), p.Created.UnixMicro(), p.Expires().UnixMicro(),
		int64(c.Targets), textOrNull(p.CollapseKey), timeOrNull(p.NotBefore), selector, direct.Flag(c.Late))
}

// FindFanout returns a fan-out without its counts, or push.ErrUnknown.
func (s *Statements) FindFanout(id push.ID) (push.Fanout, error) {
	found, err := s.fanout.find.Row(s.fanout.row[:], int64(id))
	if err == nil && !found {
		err = push.ErrUnknown
	}
	if err != nil {
		return push.Fanout{}, err
	}
	return fanoutOf(s.fanout.row[:])
}

// fanoutOf reads the columns of selectFanout.
func fanoutOf(row []driver.Value) (push.Fanout, error) {
	created, expires := direct.Time(direct.Int(row[6])), direct.Time(direct.Int(row[7]))
	f := push.Fanout{
		Push: push.Push{
			ID: push.ID(direct.Int(row[0])), To: endpoint.Key{Domain: direct.Text(row[1])}, Type: direct.Text(row[2]), Binary: direct.Int(row[3]) != 0,
			Priority: push.Priority(direct.Int(row[4])), Ack: push.Ack(direct.Int(row[5])), TTL: expires.Sub(created), Created: created,
			CollapseKey: direct.Text(row[12]), NotBefore: direct.Time(direct.Int(row[13])),
		},
		Targets: int(direct.Int(row[8])), Stored: int(direct.Int(row[9])), Refused: int(direct.Int(row[10])), Open: int(direct.Int(row[11])), Reached: direct.Int(row[15]),
		Late: direct.Int(row[16]) == lateOpen,
	}
	if text := direct.Text(row[14]); text != "" {
		if err := json.Unmarshal([]byte(text), &f.Selector); err != nil {
			return push.Fanout{}, fmt.Errorf("read selector of %s: %w", f.ID, err)
		}
	}
	return f, nil
}

// Candidate is what decides whether an endpoint takes a push. Num 0: there is no such endpoint.
type Candidate struct {
	ID           string // where many are asked for
	Num          int64
	Enabled      bool
	Count, Bytes int64 // of its pushes that are not final
}

// Candidates looks up many endpoints of a domain.
func (s *Statements) Candidates(domain string, ids []string) ([]Candidate, error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, fmt.Errorf("encode ids: %w", err)
	}
	all, row := make([]Candidate, len(ids)), s.fanout.resolved[:]
	err = s.fanout.candidates.Each(row, func() error {
		all[direct.Int(row[3])] = s.candidateOf(row)
		return nil
	}, domain, string(list))
	for i, id := range ids {
		all[i].ID = id
	}
	return all, err
}

// Members looks up the endpoints that have all tags, from behind a number on, in the order of their numbers.
func (s *Statements) Members(domain string, tags []string, after int64, limit int) (all []Candidate, err error) {
	second, others, err := splitTags(tags)
	if err != nil {
		return nil, err
	}
	row := s.fanout.member[:]
	err = s.fanout.members.Each(row, func() error {
		c := s.candidateOf(row)
		c.ID = direct.Text(row[3])
		all = append(all, c)
		return nil
	}, domain, tags[0], after, others, int64(limit), second)
	return all, err
}

// splitTags prepares all tags but the first for a query.
func splitTags(tags []string) (second driver.Value, others string, err error) {
	if len(tags) == 1 {
		return nil, "[]", nil
	}
	text, err := json.Marshal(tags[2:])
	if err != nil {
		return nil, "", fmt.Errorf("encode tags: %w", err)
	}
	return tags[1], string(text), nil
}

// Candidate looks up one endpoint.
func (s *Statements) Candidate(k endpoint.Key) (Candidate, error) {
	row := s.fanout.resolved[:3]
	found, err := s.fanout.candidate.Row(row, k.Domain, k.ID)
	if err != nil || !found {
		return Candidate{}, err
	}
	return s.candidateOf(row), nil
}

// candidateOf reads the columns of selectCandidate and adds what is not in the table of queues yet.
func (s *Statements) candidateOf(row []driver.Value) Candidate {
	open := direct.Int(row[2])
	c := Candidate{Num: direct.Int(row[0]), Enabled: direct.Int(row[1]) != 0, Count: open >> 40, Bytes: open & (1<<40 - 1)}
	count, bytes := s.recent.open(c.Num)
	c.Count, c.Bytes = c.Count+count, c.Bytes+bytes
	return c
}

// InsertTargets stores one Accepted push for each endpoint whose number is not 0, with its event. The first id, and the first event's number seq, belong to the first of
// taken, whatever it is.
func (s *Statements) InsertTargets(p *push.Push, first push.ID, taken []Candidate, seq int64) error {
	nums := make([]int64, len(taken))
	for i, c := range taken {
		nums[i] = c.Num
	}
	list, err := json.Marshal(nums)
	if err != nil {
		return fmt.Errorf("encode numbers: %w", err)
	}
	at := p.Created.UnixMicro()
	history := AppendChange(make([]byte, 0, entryHead), 0, at, "")
	err = s.fanout.insertPushes.Run(int64(first), string(list), firstPlace(p), int64(p.Ack), int64(p.Priority), formOf(p),
		KeptBytes(p), at, p.Expires().UnixMicro(), p.Type, history, int64(p.Fanout), textOrNull(p.CollapseKey),
		timeOrNull(p.NotBefore))
	if err != nil {
		return err
	}
	for i, c := range taken {
		if c.Num > 0 {
			key := endpoint.Key{Domain: p.To.Domain, ID: c.ID}
			s.recent.add(recent{id: first + push.ID(i), key: key, ep: c.Num, place: firstPlace(p), size: KeptBytes(p)})
		}
	}
	return s.fanout.insertEvents.Run(seq, string(list), at, int64(first))
}

// KeptBytes is the size of the payload as far as it is kept.
func KeptBytes(p *push.Push) int64 {
	if p.TTL <= 0 {
		return 0
	}
	return int64(len(p.Payload))
}

// GrowFanout notes that a fan-out has more targets, of which some were refused, and keeps the payload for the others and for late joiners.
func (s *Statements) GrowFanout(p *push.Push, f *push.Fanout, stored, refused int) error {
	open := stored - refused
	if (open > 0 || f.Late) && KeptBytes(p) > 0 {
		if err := s.fanout.insertBody.Run(int64(p.Fanout), p.Payload); err != nil {
			return err
		}
	}
	return s.fanout.grow.Run(int64(stored), int64(refused), int64(open), int64(f.Targets), f.Reached, int64(p.Fanout))
}

// RefuseTarget keeps a target that was refused.
func (s *Statements) RefuseTarget(id push.ID, p *push.Push, subject, reason string) error {
	return s.fanout.refuse.Run(int64(id), int64(p.Fanout), subject, reason, p.Created.UnixMicro())
}

// CloseTargets notes that so many targets of a push to many need its payload no more, and deletes it if none does.
func (s *Statements) CloseTargets(fanout push.ID, n int64) error {
	if err := s.fanout.closeTargets.Run(n, int64(fanout)); err != nil {
		return err
	}
	return s.fanout.deleteBody.Run(int64(fanout))
}
