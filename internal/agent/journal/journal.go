// Package journal remembers on the endpoint's disk every push from before its receipt until the server has its result, and for a while longer.
package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/telemetry"
)

// Phase is how far a push came.
type Phase uint8

// The phases in their order.
const (
	Received Phase = iota // on disk; its receipt may be sent
	Started               // its handler may have begun
	Done                  // the result is on disk
	Covered               // the server has the result for good
)

// Err marks every failure of the journal. Without a journal the agent can promise nothing, so it stops.
var Err = errors.New("journal")

// Names of the files in the state directory.
const (
	journalName = "journal"
	lockName    = "lock"
)

// Keep bounds what the journal remembers of pushes that are over: by it a push that comes again is known.
type Keep struct {
	Age   time.Duration // since they were over
	Count int           // of those, the newest
}

// entry is what is known of one push. Payload and result stay in the file and are read when needed.
type entry struct {
	id      string
	seq     uint64 // order of reception
	phase   Phase
	at      time.Time // of the newest record
	payload span      // of the received line
	result  span      // of the done line
}

// span is where a line stands in the file.
type span struct{ off, length int64 }

// Journal remembers every push until its result has reached the server, and for a while longer. It survives a crash at any byte. All
// methods may be called concurrently. After an error the file may lack what was to be written and every further write fails.
type Journal struct {
	dir  string
	keep Keep
	log  *zap.Logger
	lock *os.File

	mu        sync.Mutex
	file      *os.File
	size      int64
	entries   map[string]*entry
	seq       uint64
	covered   int   // entries that are covered
	compactAt int64 // size at which the file is written anew
	failed    error // first failure of a write
}

// Open reads the journal in dir, which it makes if needed, and takes its lock.
func Open(dir string, k Keep, now time.Time, log *zap.Logger) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("%w: make state directory: %w", Err, err)
	}
	lock, err := lockFile(filepath.Join(dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("%w: another agent uses %s: %w", Err, dir, err)
	}
	j := &Journal{dir: dir, keep: k, log: log, lock: lock, entries: map[string]*entry{}}
	if err := j.load(now); err != nil {
		j.Close()
		return nil, fmt.Errorf("%w: %w", Err, err)
	}
	return j, nil
}

// Taken reports whether an agent uses the journal in dir.
func Taken(dir string) (bool, error) {
	taken, err := locked(filepath.Join(dir, lockName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return taken, err
}

// Close releases the file and the lock.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var err error
	if j.file != nil {
		err = j.file.Close()
		j.file = nil
	}
	return errors.Join(err, j.lock.Close())
}

// Receive remembers p durably. known is true if a push of this id was received before; then nothing is written.
func (j *Journal) Receive(p Push, now time.Time) (known bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, ok := j.entries[p.ID]; ok {
		return true, nil
	}
	r := record{What: recordReceived, ID: p.ID, At: now, Type: p.Type, Expires: p.Expires}
	if p.Binary {
		r.Data = p.Payload
	} else {
		r.Payload = p.Payload
	}
	return false, j.writeLocked(r, true)
}

// Start remembers durably that the handler of id is about to begin.
func (j *Journal) Start(id string, now time.Time) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.writeLocked(record{What: recordStarted, ID: id, At: now}, true)
}

// Done remembers the result of id durably.
func (j *Journal) Done(id string, res Result, now time.Time) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.writeLocked(record{What: recordDone, ID: id, At: now, OK: res.OK, Result: res.JSON}, true)
}

// Cover remembers that the server has the result of id. It does not wait for the disk: a result sent twice does no harm.
func (j *Journal) Cover(id string, now time.Time) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e := j.entries[id]; e == nil || e.phase != Done {
		return nil
	}
	return j.writeLocked(record{What: recordCovered, ID: id, At: now}, false)
}

// Push reads the push of id back, without its payload once it is covered.
func (j *Journal) Push(id string) (Push, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.entries[id]
	if e == nil || e.payload.length == 0 {
		return Push{ID: id}, nil
	}
	r, err := j.readLocked(e.payload)
	if err != nil {
		return Push{}, err
	}
	p := Push{ID: id, Type: r.Type, Expires: r.Expires, Payload: r.Payload}
	if r.Data != nil {
		p.Payload, p.Binary = r.Data, true
	}
	return p, nil
}

// Result reads the result of id back; ok is false if there is none yet.
func (j *Journal) Result(id string) (res Result, ok bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.entries[id]
	if e == nil || e.phase < Done || e.result.length == 0 { // a damaged file may have lost the result alone
		return Result{}, false, nil
	}
	r, err := j.readLocked(e.result)
	if err != nil {
		return Result{}, false, err
	}
	return Result{OK: r.OK, JSON: json.RawMessage(r.Result)}, true, nil
}

// Open returns the ids of the pushes in one of the phases, in the order of their reception.
func (j *Journal) Open(phases ...Phase) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.orderedLocked(func(e *entry) bool {
		for _, p := range phases {
			if e.phase == p {
				return true
			}
		}
		return false
	})
}

// Knows reports whether a push of this id was received.
func (j *Journal) Knows(id string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.entries[id] != nil
}

// Backlog returns how many pushes wait for their handler or have begun.
func (j *Journal) Backlog() int { return len(j.Open(Received, Started)) }

func (j *Journal) warnDamage(what string, n int) {
	j.log.Warn(what, telemetry.File(filepath.Join(j.dir, journalName)), telemetry.Count(n))
}
