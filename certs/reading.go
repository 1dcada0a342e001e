package certs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// reading is what one look at all files comes to: what will serve and what is to be told.
type reading struct {
	required *Bundle
	bundles  []*Bundle
	waiting  []*Bundle
	report   Report
}

// read looks at every file and decides for each whether it serves, or what served before goes on. The caller holds
// reloading.
func (s *Store) read(now time.Time) reading {
	r := reading{report: Report{At: now}}
	old := s.serves.Load()
	if old == nil {
		old = &snapshot{}
	}
	paths, problem := s.paths()
	// Whoever names files may do without the directory, as long as it never gave anything.
	before := withOld(nil, old, s.cfg.Dir)
	if problem != nil && (len(s.cfg.Files) == 0 || len(before) > 0) {
		r.report.Files = append(r.report.Files, FileReport{Path: s.cfg.Dir, Outcome: Refused, Problems: Errors{problem}})
		paths = withOld(paths, old, s.cfg.Dir)
	}
	must := s.requiredPath(paths)
	if !slices.Contains(paths, must) {
		paths = append([]string{must}, paths...)
	}
	for _, path := range paths {
		s.judge(&r, old, path, path == must)
	}
	return r
}

// judge decides about one file.
func (s *Store) judge(r *reading, old *snapshot, path string, required bool) {
	opts := Options{AllowSelfSigned: s.cfg.AllowSelfSigned}
	before := old.from(path)
	if required {
		opts.Domain, before = s.need.Domain, old.required
	}
	now := r.report.At
	b, err := Load(path, now, opts)
	problems := problemsOf(err)
	outcome, serves := Loaded, b
	switch {
	case err != nil && before == nil:
		outcome = Skipped
		problems = s.explainMissing(problems, required)
	case err != nil:
		outcome, serves = Refused, before
		problems = s.explainMissing(problems, required)
	case before != nil && before.Valid(now) && !b.Valid(now):
		outcome, serves = Refused, before
		problems = Errors{b.Problem(now)}
		r.waiting = append(r.waiting, b)
	case before != nil && b.sameAs(before):
		serves = before // keeps what its connections share
	}
	f := newFileReport(path, required, outcome, serves)
	f.Problems = problems
	if b != nil {
		f.Warnings = b.Warnings
	}
	if outcome == Loaded {
		if e := b.Problem(now); e != nil {
			f.Problems = Errors{e}
		}
	}
	r.report.Files = append(r.report.Files, f)
	r.add(serves, required)
}

func (r *reading) add(b *Bundle, required bool) {
	if b == nil {
		return
	}
	if required {
		r.required = b
	}
	if !slices.Contains(r.bundles, b) {
		r.bundles = append(r.bundles, b)
	}
}

// requiredProblems says why the required bundle is not there. Where its directory is not, that is the mistake.
func (r *reading) requiredProblems() Errors {
	var dir Errors
	for _, f := range r.report.Files {
		switch {
		case len(f.Problems) > 0 && f.Problems[0].Code == DirUnreadable:
			dir = f.Problems
		case f.Required && dir != nil && len(f.Problems) == 1 && (f.Problems[0].Code == FileMissing || f.Problems[0].Code == Unreadable):
			return dir
		case f.Required:
			return f.Problems
		}
	}
	return nil
}

// from returns the bundle that a path gave before.
func (s *snapshot) from(path string) *Bundle {
	for _, b := range s.bundles {
		if b.Path == path {
			return b
		}
	}
	return nil
}

// withOld adds the paths that served from a directory which cannot be listed at the moment.
func withOld(paths []string, old *snapshot, dir string) []string {
	for _, b := range old.bundles {
		if filepath.Dir(b.Path) == filepath.Clean(dir) && !slices.Contains(paths, b.Path) {
			paths = append(paths, b.Path)
		}
	}
	return paths
}

// paths lists the bundles' files: *.pem of the directory as a shell would, then the ones that are named.
func (s *Store) paths() ([]string, *Error) {
	var paths []string
	var problem *Error
	if s.cfg.Dir != "" {
		entries, err := os.ReadDir(s.cfg.Dir)
		if err != nil {
			problem = newError(s.cfg.Dir, DirUnreadable, fmt.Sprintf("the directory of the bundles cannot be listed: %v", cause(err)))
		}
		for _, e := range entries {
			if n := e.Name(); strings.HasSuffix(n, ".pem") && !strings.HasPrefix(n, ".") {
				paths = append(paths, filepath.Join(s.cfg.Dir, n))
			}
		}
	}
	for _, f := range s.cfg.Files {
		if f = filepath.Clean(f); !slices.Contains(paths, f) {
			paths = append(paths, f)
		}
	}
	return paths, problem
}

// requiredPath returns the first of the required names that exists, else where the first of them should be.
func (s *Store) requiredPath(paths []string) string {
	for _, name := range s.need.Names {
		for _, p := range paths {
			if filepath.Base(p) == name {
				return p
			}
		}
		// A directory may be entered but not listed.
		if p := filepath.Join(s.home(), name); fileExists(p) {
			return p
		}
	}
	return filepath.Join(s.home(), s.need.Names[0])
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// home is where the required bundle should be: the directory, else where the first of the named files is. It is never the
// working directory by accident.
func (s *Store) home() string {
	if s.cfg.Dir != "" {
		return s.cfg.Dir
	}
	return filepath.Dir(s.cfg.Files[0])
}

// explainMissing says where the required bundle was looked for and what lies there instead.
func (s *Store) explainMissing(problems Errors, required bool) Errors {
	if !required || len(problems) != 1 || problems[0].Code != FileMissing {
		return problems
	}
	detail := fmt.Sprintf("the bundle of the domain does not exist (looked for %s)", strings.Join(s.need.Names, ", then "))
	if others := s.lookAlikes(); len(others) > 0 {
		detail += fmt.Sprintf("; there is %s, which is not read", strings.Join(others, ", "))
	}
	return Errors{newError(problems[0].Path, FileMissing, detail)}
}

// lookAlikes returns files with the right name and another ending, such as itsm.local.pfx.
func (s *Store) lookAlikes() []string {
	entries, err := os.ReadDir(s.home())
	if err != nil {
		return nil // the report has it
	}
	var found []string
	for _, e := range entries {
		for _, name := range s.need.Names {
			stem := strings.TrimSuffix(name, ".pem")
			if e.Name() == stem || (strings.HasPrefix(e.Name(), stem+".") && e.Name() != name) {
				found = append(found, e.Name())
			}
		}
	}
	return slices.Compact(found)
}
