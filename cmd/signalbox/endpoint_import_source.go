package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"signalbox/internal/client"
	"signalbox/internal/endpoint"
	"signalbox/internal/portable"
)

// importSource is a file of endpoints.
type importSource interface {
	// read calls take for each endpoint that can be registered, and notes all else. It is called twice.
	read(report *importReport, take func(client.BatchItem) error) error
}

func (im *importer) source(path string) importSource {
	switch filepath.Ext(path) {
	case ".ndjson", ".jsonl":
		return lines{path}
	}
	return export{path, im.host}
}

// lines is a file with one JSON object per line.
type lines struct{ path string }

const maxLine = 1 << 20

func (l lines) read(_ *importReport, take func(client.BatchItem) error) error {
	f, err := os.Open(l.path)
	if err != nil {
		return err
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(make([]byte, 0, 64<<10), maxLine)
	for n := 1; sc.Scan(); n++ {
		line := bytes.TrimSpace(sc.Bytes())
		if len(line) == 0 {
			continue
		}
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.DisallowUnknownFields()
		var item client.BatchItem
		if err := dec.Decode(&item); err != nil {
			return fmt.Errorf("%s, line %d: %w", l.path, n, err)
		}
		if _, err := dec.Token(); err != io.EOF {
			return fmt.Errorf("%s, line %d: more than one JSON object", l.path, n)
		}
		if err := take(item); err != nil {
			return err
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("%s: %w", l.path, err)
	}
	return nil
}

// export is the main file of a portable export.
type export struct{ path, host string }

func (e export) read(report *importReport, take func(client.BatchItem) error) error {
	root, err := os.OpenRoot(filepath.Dir(e.path)) // what it includes lies below
	if err != nil {
		return err
	}
	defer root.Close()
	found, err := portable.Read(root.FS(), filepath.Base(e.path), func(a portable.Account) error {
		if e.host != "" && !strings.EqualFold(a.Host, e.host) {
			report.skip(a, "of another host")
			return nil
		}
		item, why := itemOf(a)
		if why != "" {
			report.skip(a, why)
			return nil
		}
		if a.Disabled {
			report.Disabled++
		}
		return take(item)
	})
	if err != nil {
		return err
	}
	report.Passed = found.Passed
	hosts := slices.Sorted(maps.Keys(found.Hosts))
	switch {
	case e.host == "" && len(hosts) > 1:
		return fmt.Errorf("%s has accounts of %s: choose one with --host", e.path, strings.Join(hosts, ", "))
	case e.host != "" && !slices.ContainsFunc(hosts, func(h string) bool { return strings.EqualFold(h, e.host) }):
		return fmt.Errorf("%s has no accounts of %s", e.path, e.host)
	}
	return nil
}

// itemOf makes an endpoint of an account, or says why it cannot be one.
func itemOf(a portable.Account) (item client.BatchItem, why string) {
	item.ID = foldID(a.Name)
	if err := endpoint.CheckID(item.ID); err != nil {
		return item, "its name can be no endpoint's: " + err.Error()
	}
	if a.Disabled {
		item.Enabled = new(bool)
	}
	var others []string
	for _, v := range a.Verifiers {
		if err := checkVerifier(v); err != nil {
			others = append(others, err.Error())
			continue
		}
		item.SCRAM = append(item.SCRAM, client.Verifier{
			Mechanism: v.Mechanism, Iterations: v.Iterations, Salt: v.Salt, StoredKey: v.StoredKey, ServerKey: v.ServerKey,
		})
	}
	bad := endpoint.CheckSecret(a.Password)
	switch {
	case bad == nil: // it gives keys for both hashes
		item.Secret, item.SCRAM = a.Password, nil
	case item.SCRAM == nil && a.Password != "":
		return item, "its password cannot be used: " + bad.Error()
	case item.SCRAM == nil && len(others) > 0:
		return item, strings.Join(others, "; ")
	case item.SCRAM == nil:
		return item, "it has neither a password nor SCRAM keys"
	}
	return item, ""
}

// checkVerifier says why SCRAM keys cannot be taken over.
func checkVerifier(v portable.Verifier) error {
	k := endpoint.ScramKeys{Iterations: v.Iterations}
	for text, into := range map[*string]*[]byte{&v.Salt: &k.Salt, &v.StoredKey: &k.StoredKey, &v.ServerKey: &k.ServerKey} {
		var err error
		if *into, err = base64.StdEncoding.Strict().DecodeString(*text); err != nil {
			return fmt.Errorf("its keys for %s are not base64", v.Mechanism)
		}
	}
	_, err := endpoint.NewVerifiers(map[string]endpoint.ScramKeys{v.Mechanism: k})
	return err
}

// foldID writes a local part as endpoints have it: the case of ASCII letters means nothing (RFC 7622 section 3.3).
func foldID(name string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, name)
}
