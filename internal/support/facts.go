package support

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"signalbox/certs"
	"signalbox/internal/client"
	"signalbox/internal/doctor"
	"signalbox/internal/store"
)

// configuration is what counts of file, environment and command line.
func configuration(_ context.Context, s Source) (any, error) {
	if s.In.Unreadable() {
		return nil, s.In.Err
	}
	return s.In.Config.Redacted()
}

// mistakes is what is wrong with the configuration, and where it is.
func mistakes(_ context.Context, s Source) (any, error) {
	found := struct {
		File     string   `json:"file"`
		Mistakes string   `json:"mistakes,omitempty"`
		Warnings []string `json:"warnings"`
	}{File: s.In.File, Warnings: s.In.Warnings}
	if s.In.Err != nil {
		found.Mistakes = s.In.Err.Error()
	}
	return found, nil
}

func examine(ctx context.Context, s Source) (any, error) {
	return doctor.Examine(ctx, s.In), ctx.Err()
}

// server is what the running server says without a token.
func server(ctx context.Context, s Source) (any, error) {
	version, err := s.API.Version(ctx)
	if err != nil {
		return nil, err
	}
	ready, err := s.API.Ready(ctx)
	return struct {
		Version   client.Version      `json:"version"`
		Ready     client.Readiness    `json:"ready"`
		Listeners map[string][]string `json:"listeners"`
	}{version, ready, s.In.Running}, err
}

// refusals is what the running server knows of mass failures: the reasons for which it refused connections and logins in the last hour with their numbers, and what waits.
func refusals(ctx context.Context, s Source) (any, error) {
	if s.Token == "" {
		return nil, errors.New("no API token was given, and the server tells this to nobody without one")
	}
	checks, err := s.API.Doctor(ctx)
	if err != nil {
		return nil, err
	}
	return checks, nil
}

func metrics(ctx context.Context, s Source) (any, error) {
	text, err := s.API.Metrics(ctx)
	if err != nil {
		return nil, err
	}
	return text, nil
}

// certificates is what is public of the bundles and of the API's certificate.
func certificates(_ context.Context, s Source) (any, error) {
	cfg := s.In.Config
	paths, err := filepath.Glob(filepath.Join(cfg.Certs.Dir, "*.pem"))
	if err != nil {
		return nil, err
	}
	paths = append(paths, cfg.Certs.Files...)
	for _, f := range cfg.Files() {
		if !f.Secret {
			paths = append(paths, f.Path)
		}
	}
	slices.Sort(paths)
	inspections := []certs.Inspection{}
	for _, path := range slices.Compact(paths) {
		inspections = append(inspections, certs.InspectFile(path, time.Now(), certs.Options{AllowSelfSigned: cfg.Certs.AllowSelfSigned}))
	}
	return inspections, nil
}

// database is how large the database is, and whether it is damaged where that is asked for.
func database(ctx context.Context, s Source) (any, error) {
	path, err := store.Locate(s.In.Config.Store.URL, s.In.Config.DataDir)
	if err != nil {
		return nil, err
	}
	found := struct {
		Path   string       `json:"path"`
		Schema store.Schema `json:"schema"`
		store.Statistics
		Damage string `json:"damage,omitempty"` // what is wrong; "none" where it was looked for and nothing is
	}{Path: path}
	if found.Schema, err = store.Inspect(ctx, path); err != nil {
		return nil, err
	}
	if found.Statistics, err = store.Measure(ctx, path); err != nil || !s.Check {
		return found, err
	}
	found.Damage = "none"
	if err := store.CheckBeside(ctx, path); err != nil {
		found.Damage = err.Error()
	}
	return found, nil
}

// logLines is the end of a log.
func logLines(_ context.Context, s Source) (any, error) {
	if s.Log == nil {
		return nil, errors.New("no log was given: --log names a file with it, or - for standard input")
	}
	text, err := tail(s.Log, s.LogLines)
	if err != nil {
		return text, fmt.Errorf("read the log: %w", err)
	}
	return text, nil
}

// mostLog is how much of the end of a file is looked at, in bytes.
const mostLog = 256 << 20

// tail returns the last lines of a text. Of a file it reads the end alone.
func tail(r io.Reader, lines int) ([]byte, error) {
	if f, ok := r.(io.Seeker); ok {
		if size, err := f.Seek(0, io.SeekEnd); err == nil {
			if _, err := f.Seek(max(0, size-mostLog), io.SeekStart); err != nil {
				return nil, err
			}
		}
	}
	var last [][]byte
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			last = append(last, line)
		}
		if len(last) > 2*lines || err != nil {
			last = slices.Clone(last[max(0, len(last)-lines):])
		}
		if errors.Is(err, io.EOF) {
			return bytes.Join(last, nil), nil
		}
		if err != nil {
			return bytes.Join(last, nil), err
		}
	}
}
