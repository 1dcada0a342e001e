package certs

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"signalbox/internal/telemetry"
)

const (
	// pollEvery finds what notices miss: bind mounts, network file systems, targets of symbolic links, a clock that was set.
	pollEvery = time.Minute
	// settle is how long a directory must be quiet before it is read, settleMax bounds the wait for a busy one.
	settle    = 250 * time.Millisecond
	settleMax = 2 * time.Second
)

// Run watches the files and the clock and swaps what changes, until ctx is done; then it returns nil. Without notices from
// the file system it goes on with a look per minute.
func (s *Store) Run(ctx context.Context) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		s.log.Warn("no notices of changed files, looking every minute instead", telemetry.Cause(err))
		return s.loop(ctx, nil)
	}
	defer w.Close() // waits for the watcher's goroutine
	return s.loop(ctx, w)
}

// loop waits for notices, for the poll and for the next moment at which a bundle's period begins or ends. A nil watcher
// gives no notices.
func (s *Store) loop(ctx context.Context, w *fsnotify.Watcher) error {
	var events <-chan fsnotify.Event
	var failures <-chan error
	if w != nil {
		events, failures = w.Events, w.Errors
	}
	watched := map[string]bool{}
	s.watchDirs(w, watched)
	s.refresh() // what changed between New and the watch
	look := time.NewTimer(s.untilLook(time.Now()))
	defer look.Stop()
	var firstNotice time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-events:
			if !s.concerns(e.Name) {
				continue
			}
			now := time.Now()
			if firstNotice.IsZero() {
				firstNotice = now
			}
			look.Reset(min(settle, firstNotice.Add(settleMax).Sub(now)))
		case <-failures: // an overflow, most likely: look at once
			look.Reset(0)
		case <-look.C:
			firstNotice = time.Time{}
			s.watchDirs(w, watched)
			s.refresh()
			look.Reset(s.untilLook(time.Now()))
		}
	}
}

// untilLook returns how long nothing can change by the clock alone, at most pollEvery.
func (s *Store) untilLook(now time.Time) time.Duration {
	s.mu.Lock()
	waiting := s.waiting
	s.mu.Unlock()
	next := nextChange(slices.Concat(s.serves.Load().bundles, waiting), now)
	if next.IsZero() {
		return pollEvery
	}
	return min(pollEvery, next.Sub(now))
}

// watchDirs watches the directories, not the files: editors, cp, mv and Kubernetes replace files in different ways, and
// all of them show in the directory. A directory that is not there yet is tried again at each look.
func (s *Store) watchDirs(w *fsnotify.Watcher, watched map[string]bool) {
	if w == nil {
		return
	}
	present := w.WatchList() // a directory that was removed has left it
	for _, dir := range s.dirs() {
		if slices.Contains(present, dir) {
			continue
		}
		err := w.Add(dir)
		if err != nil && !watched[dir] {
			s.log.Warn("directory not watched, looking every minute instead", telemetry.File(dir), telemetry.Cause(fmt.Errorf("watch: %w", err)))
		}
		watched[dir] = true
	}
}

func (s *Store) dirs() []string {
	var dirs []string
	if s.cfg.Dir != "" {
		dirs = append(dirs, filepath.Clean(s.cfg.Dir))
	}
	for _, f := range s.files() {
		if dir := filepath.Dir(filepath.Clean(f)); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// files are those that are named, in whatever directory.
func (s *Store) files() []string {
	if s.clients == nil {
		return s.cfg.Files
	}
	return append(slices.Clone(s.cfg.Files), s.clients.path)
}

// concerns says whether a notice is about a bundle: a *.pem, a file that is named, or the hidden links by which Kubernetes
// swaps a whole directory.
func (s *Store) concerns(path string) bool {
	base := filepath.Base(path)
	return strings.HasSuffix(base, ".pem") || strings.HasPrefix(base, "..") || slices.Contains(s.dirs(), filepath.Clean(path)) ||
		slices.ContainsFunc(s.files(), func(f string) bool { return filepath.Clean(f) == filepath.Clean(path) })
}
