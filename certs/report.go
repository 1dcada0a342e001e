package certs

import (
	"slices"
	"strings"
	"time"
)

// Outcome says what became of one file.
type Outcome string

const (
	// Loaded means that the file's bundle serves.
	Loaded Outcome = "ok"
	// Skipped means that the file is bad and nothing serves in its place.
	Skipped Outcome = "skipped"
	// Refused means that the file is bad and the bundle of before serves on.
	Refused Outcome = "refused"
)

// withProblem words the outcome of a file that has a problem: a loaded one has one only with its period.
func (o Outcome) withProblem() string {
	if o == Loaded {
		return "cannot serve now"
	}
	return string(o)
}

// Report says what the last reading of all files found. Treat it as read-only.
type Report struct {
	At    time.Time    `json:"at"`
	Files []FileReport `json:"files"`
}

// FileReport is about one file. The period and names are those of the bundle that serves for it, if one does.
type FileReport struct {
	Path      string    `json:"path"`
	Required  bool      `json:"required"`
	Outcome   Outcome   `json:"outcome"`
	Problems  Errors    `json:"problems,omitempty"`
	Warnings  Errors    `json:"warnings,omitempty"`
	Names     []string  `json:"names,omitempty"`
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	SHA256    string    `json:"sha256,omitempty"`
}

func newFileReport(path string, required bool, outcome Outcome, serving *Bundle) FileReport {
	f := FileReport{Path: path, Required: required, Outcome: outcome}
	if serving != nil {
		f.Names, f.NotBefore, f.NotAfter = serving.Names, serving.NotBefore, serving.NotAfter
		f.SHA256 = Fingerprints(serving.Certificate).SHA256
	}
	return f
}

// Bad returns the files that were skipped or refused.
func (r Report) Bad() []FileReport {
	var bad []FileReport
	for _, f := range r.Files {
		if f.Outcome != Loaded {
			bad = append(bad, f)
		}
	}
	return bad
}

// find returns what is said of a path.
func (r Report) find(path string) (FileReport, bool) {
	i := slices.IndexFunc(r.Files, func(f FileReport) bool { return f.Path == path })
	if i < 0 {
		return FileReport{}, false
	}
	return r.Files[i], true
}

// says whether two reports of a file tell operators the same.
func (f FileReport) says(o FileReport) bool {
	return f.Path == o.Path && f.Required == o.Required && f.Outcome == o.Outcome && f.SHA256 == o.SHA256 &&
		f.NotAfter.Equal(o.NotAfter) && f.lines() == o.lines()
}

func (f FileReport) lines() string {
	return strings.Join([]string{f.Problems.Error(), f.Warnings.Error()}, "\n\n")
}

func (r Report) says(o Report) bool {
	return slices.EqualFunc(r.Files, o.Files, FileReport.says)
}
