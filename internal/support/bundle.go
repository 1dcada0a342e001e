// Package support gathers the facts of an installation for whoever is to help its operator, into one archive that holds none of its secrets and no payload.
package support

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"signalbox/internal/client"
	"signalbox/internal/doctor"
)

// Source is what facts come from. What does not answer is noted, and left out.
type Source struct {
	Version  map[string]string   // of this program
	In       doctor.Installation // as doctor.Examine takes it
	API      *client.Client      // of the running server
	Token    string              // by which API asks; empty: without
	Log      io.Reader           // its newest lines are taken; nil: there is none
	LogLines int                 // at most
	Check    bool                // whether all of the database is read for damage
}

// Index is the last member: what is in the bundle, and what is not there and why.
type Index struct {
	Made    time.Time         `json:"made"`
	Members []string          `json:"members"`
	Missing map[string]string `json:"missing"` // by name of the member
}

// IndexName is the name of the member that is the Index.
const IndexName = "index.json"

// patience bounds what one fact may take.
const patience = 2 * time.Minute

// bundle is an archive that is being written.
type bundle struct {
	src   Source
	tar   *tar.Writer
	clean *redactor
	index Index
}

// Write writes the bundle to w. An error of w alone ends it.
func Write(ctx context.Context, w io.Writer, s Source) (Index, error) {
	packed := gzip.NewWriter(w)
	b := &bundle{src: s, tar: tar.NewWriter(packed), index: Index{Made: time.Now().UTC(), Missing: map[string]string{}}}
	var problems []error
	b.clean, problems = redactorOf(s)
	if err := errors.Join(problems...); err != nil {
		b.index.Missing["secrets"] = "not all secrets could be read, to look for them in what is sent: " + err.Error()
	}
	for _, fact := range facts {
		if err := ctx.Err(); err != nil {
			return b.index, err
		}
		if err := b.take(ctx, fact); err != nil {
			return b.index, err
		}
	}
	if err := b.json(IndexName, b.index); err != nil {
		return b.index, err
	}
	if err := errors.Join(b.tar.Close(), packed.Close()); err != nil {
		return b.index, fmt.Errorf("end the bundle: %w", err)
	}
	return b.index, nil
}

// fact is a member and what gathers it.
type fact struct {
	name   string
	gather func(context.Context, Source) (any, error) // []byte is written as it is, anything else as JSON
}

// facts are what is in a bundle.
var facts = []fact{
	{"version.json", func(_ context.Context, s Source) (any, error) { return s.Version, nil }},
	{"configuration.yaml", configuration},
	{"configuration.json", mistakes},
	{"doctor.json", examine},
	{"server.json", server},
	{"refusals.json", refusals},
	{"metrics.txt", metrics},
	{"certificates.json", certificates},
	{"database.json", database},
	{"system.json", system},
	{"log.txt", logLines},
}

// take gathers one fact, writes what there is of it, and notes what is not.
func (b *bundle) take(ctx context.Context, f fact) error {
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	value, err := f.gather(bounded, b.src)
	if err != nil {
		b.index.Missing[f.name] = err.Error()
	}
	switch text := value.(type) {
	case nil:
		return nil
	case []byte:
		return b.member(f.name, text)
	}
	return b.json(f.name, value)
}

func (b *bundle) json(name string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return b.member(name, text)
}

// member writes a text without the secrets in it.
func (b *bundle) member(name string, text []byte) error {
	text = b.clean.clean(text)
	h := &tar.Header{Typeflag: tar.TypeReg, Name: "signalbox-support/" + name, Size: int64(len(text)), Mode: 0o600, ModTime: b.index.Made}
	if err := b.tar.WriteHeader(h); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if _, err := b.tar.Write(text); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	b.index.Members = append(b.index.Members, name)
	return nil
}
