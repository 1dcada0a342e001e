package upload

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"go.uber.org/zap"

	"signalbox/internal/endpoint"
	"signalbox/internal/telemetry"
)

const (
	fileCost = 4096             // what the smallest file counts for
	slotLife = 10 * time.Minute // for the upload to begin
	maxSlots = 20               // of one account that wait for their upload
	sweep    = time.Minute

	maxNameBytes = 255
	maxTypeBytes = 127
)

// Why there is no slot.
var (
	ErrFile     = errors.New("a file has a name of one path segment with at most 255 bytes, and a size")
	ErrTooLarge = errors.New("the file is larger than upload.max_bytes")
	ErrQuota    = errors.New("the account's files take upload.quota_bytes")
	ErrSlots    = errors.New("too many slots of the account wait for their upload")
)

// File is what a client says of a file.
type File struct {
	Name string // as it was; it never becomes a part of a path on disk
	Size int64  // bytes
	Type string // media type; empty: not said
}

// Service keeps files and the slots for them. It is safe for concurrent use.
type Service struct {
	cfg  Config
	dir  string
	base func() string // https://host of the handler
	log  *zap.Logger
	now  func() time.Time

	mu    sync.Mutex
	slots map[string]*slot // by id, which is also the name of the file
	used  map[string]usage // by owner
}

// usage is what an account has.
type usage struct {
	bytes   int64
	waiting int // slots without their file
}

// slot is a promise of a file, or the file.
type slot struct {
	file    File
	owner   string // bare JID
	made    time.Time
	taken   bool // an upload has begun
	arrived bool // the file is whole and on the disk
}

// cost is what the slot counts for in its owner's quota.
func (s *slot) cost() int64 { return max(s.file.Size, fileCost) }

// New returns a service that keeps files in a directory, which it makes, and finds those that are there. Base returns https://host of the handler.
func New(cfg Config, dir string, base func() string, log *zap.Logger, now func() time.Time) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("upload: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create directory of uploads: %w", err)
	}
	s := &Service{cfg: cfg, dir: dir, base: base, log: log.Named("upload"), now: now, slots: map[string]*slot{}, used: map[string]usage{}}
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("read directory of uploads: %w", err)
	}
	return s, nil
}

// MaxBytes returns the size of the largest file.
func (s *Service) MaxBytes() int64 { return int64(s.cfg.MaxBytes) }

// Request promises room for a file and returns its address, to which it is put once and from which everybody gets it. Errors: ErrFile, ErrTooLarge, ErrQuota, ErrSlots.
func (s *Service) Request(k endpoint.Key, f File) (address string, err error) {
	switch {
	case f.Size <= 0, !goodName(f.Name), len(f.Type) > maxTypeBytes:
		return "", ErrFile
	case f.Size > s.MaxBytes():
		return "", ErrTooLarge
	}
	if _, _, err := mime.ParseMediaType(f.Type); err != nil {
		f.Type = ""
	}
	var random [16]byte
	rand.Read(random[:]) // never fails, see crypto/rand
	id := hex.EncodeToString(random[:])
	n := &slot{file: f, owner: k.JID(), made: s.now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch has := s.used[n.owner]; {
	case has.waiting >= maxSlots:
		return "", ErrSlots
	case has.bytes+n.cost() > int64(s.cfg.QuotaBytes):
		return "", ErrQuota
	}
	s.addLocked(id, n)
	return s.base() + Path + id + "/" + url.PathEscape(f.Name), nil
}

// goodName reports whether a name is one segment of an address that means itself.
func goodName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= maxNameBytes && utf8.ValidString(name) && !strings.ContainsAny(name, "/\\") &&
		strings.IndexFunc(name, unicode.IsControl) < 0
}

func (s *Service) addLocked(id string, n *slot) {
	s.slots[id] = n
	s.countLocked(n, 1)
}

// countLocked adds a slot to what its owner has, or takes it away.
func (s *Service) countLocked(n *slot, sign int) {
	u := s.used[n.owner]
	u.bytes += int64(sign) * n.cost()
	if !n.arrived {
		u.waiting += sign
	}
	s.used[n.owner] = u
	if u == (usage{}) {
		delete(s.used, n.owner)
	}
}

func (s *Service) removeLocked(id string) {
	n := s.slots[id]
	if n == nil {
		return
	}
	delete(s.slots, id)
	s.countLocked(n, -1)
}

// take begins the one upload of a slot; the error is an HTTP status.
func (s *Service) take(id, name string, size int64) (File, string, status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.slots[id]
	switch {
	case n == nil || n.file.Name != name || !n.taken && s.now().Sub(n.made) > slotLife:
		return File{}, "", statusNotFound
	case n.taken:
		return File{}, "", statusConflict
	case size < 0:
		return File{}, "", statusLengthRequired
	case size != n.file.Size:
		return File{}, "", statusBadLength
	}
	n.taken = true
	return n.file, n.owner, statusCreated
}

// finish ends an upload: the file is there, or the slot is gone.
func (s *Service) finish(id string, arrived bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !arrived {
		s.removeLocked(id)
		return
	}
	n := s.slots[id]
	s.countLocked(n, -1)
	n.arrived, n.made = true, s.now()
	s.countLocked(n, 1)
}

// find returns the file of a slot.
func (s *Service) find(id, name string) (f File, made time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.slots[id]
	if n == nil || !n.arrived || n.file.Name != name || s.now().Sub(n.made) > s.cfg.Retention {
		return File{}, time.Time{}, false
	}
	return n.file, n.made, true
}

// Run deletes what is over until ctx is done.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(sweep)
	defer tick.Stop()
	for {
		s.sweep()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// sweep forgets slots that nobody used and deletes files whose time is over.
func (s *Service) sweep() {
	for _, id := range s.over() {
		if err := s.delete(id); err != nil {
			s.log.Error("an uploaded file could not be deleted", telemetry.File(id), telemetry.Cause(err))
			continue // the next sweep tries again
		}
		s.mu.Lock()
		s.removeLocked(id)
		s.mu.Unlock()
	}
}

// over forgets unused slots and returns the files whose time is over.
func (s *Service) over() (files []string) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, n := range s.slots {
		switch age := now.Sub(n.made); {
		case n.arrived && age > s.cfg.Retention:
			files = append(files, id)
		case !n.taken && age > slotLife:
			s.removeLocked(id)
		}
	}
	return files
}
