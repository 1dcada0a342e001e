package config

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
)

// File is a file that the configuration names.
type File struct {
	Key    string // path of the key
	Path   string // absolute
	Secret bool   // whether somebody who reads it could log in, sign or decrypt
}

// folders are the keys of pathKeys that name directories.
var folders = []string{"data_dir", "certs.dir"}

// public are the keys whose files hold nothing secret. A key that is in neither list counts as secret.
var public = []string{"xmpp.client_ca", "xmpp.component_ca", "turn.control.cert_file", "turn.control.ca_file", "events.ca_file", "api.tls.cert_file"}

// Files returns the files that the configuration names, whether they are there or not.
func (c Config) Files() (files []File) {
	t := newTable()
	for _, path := range pathKeys {
		if slices.Contains(folders, path) {
			continue
		}
		for _, name := range texts(t.keys[path].value(reflect.ValueOf(c))) {
			if name != "" {
				files = append(files, File{Key: path, Path: name, Secret: !slices.Contains(public, path)})
			}
		}
	}
	return files
}

// texts returns the text that a key holds, or those in its list or table.
func texts(v reflect.Value) []string {
	switch value := v.Interface().(type) {
	case string:
		return []string{value}
	case []string:
		return value
	case map[string]string:
		var all []string
		for _, name := range slices.Sorted(maps.Keys(value)) {
			all = append(all, value[name])
		}
		return all
	}
	return nil
}

// Redacted is Print for those who are not to learn a secret that somebody put in the wrong place: what stands for a file with a secret, and is the name of no file, is left out.
func (c Config) Redacted() ([]byte, error) {
	misplaced := map[string]bool{}
	for _, f := range c.Files() {
		if _, err := os.Stat(f.Path); err != nil && f.Secret {
			misplaced[f.Key] = true
		}
	}
	return c.write(func(out *bytes.Buffer, indent string, k key, line string) {
		if misplaced[k.path] {
			line = lastName(k.path) + ": # left out: names no file that can be read here"
		}
		fmt.Fprintf(out, "%s%s\n", indent, line)
	})
}

// Texts returns every text of the configuration, as it was written: addresses, names, and URLs with the passwords in them.
func (c Config) Texts() (all []string) {
	for _, s := range sections() {
		for _, k := range s.keys {
			all = append(all, texts(k.value(reflect.ValueOf(c)))...)
		}
	}
	return all
}
