// Package backup writes the whole state of a server into one archive, beside the server while it runs, and restores it.
//
// An archive is a tar file packed by gzip: first a header that says of what and when it is, then the database and all files, at last a manifest with the SHA-256 of each member. An archive
// that is cut off has no manifest, so nothing of it is ever taken for whole.
package backup

import (
	"errors"
	"time"
)

// Header is the first member: what the archive is of.
type Header struct {
	Kind    string    `json:"kind"`
	Format  int       `json:"format"`
	Program string    `json:"program"` // version of the signalbox that wrote it
	Created time.Time `json:"created"` // all that was answered before is in it, and nothing that was answered after the database was copied
	Domain  string    `json:"domain"`
	Schema  int64     `json:"schema"`   // version of the database's schema
	DataDir string    `json:"data_dir"` // where it comes from
	Bytes   int64     `json:"bytes"`    // unpacked, nearly: files may change between their count and their turn
}

// Manifest is the last member: what all members before it must be.
type Manifest struct {
	Members []Member `json:"members"`
}

// Member is a member of the archive.
type Member struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // in hexadecimal
}

const (
	kind   = "signalbox backup"
	format = 1

	headerName   = "signalbox-backup.json"
	manifestName = "manifest.json"
	databaseName = "database"
	dataPrefix   = "data/"  // files of data_dir, by their path in it
	filesPrefix  = "files/" // files from elsewhere, by their whole path

	maxIndexBytes = 64 << 20 // a header or manifest that is longer is none
)

// Errors of Restore that say what is wrong with an archive, or with the directory.
var (
	ErrNoArchive = errors.New("is no backup of signalbox")
	ErrCutOff    = errors.New("is cut off: its end with the checksums is missing; fetch it again, or take an older one")
	ErrDamaged   = errors.New("is damaged; fetch it again, or take an older one")
	ErrNewer     = errors.New("was written by a newer signalbox; restore it with that version or a newer one")
	ErrNotEmpty  = errors.New("is not empty; --force moves what is there aside")
)
