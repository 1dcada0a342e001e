package config

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
)

// Print returns the whole configuration as a YAML file that Load reads, with the passwords in URLs made unreadable.
func (c Config) Print() ([]byte, error) {
	return c.write(func(out *bytes.Buffer, indent string, k key, line string) {
		fmt.Fprintf(out, "%s%s\n", indent, line)
	})
}

// Tree returns the whole configuration as nested tables for JSON, with the passwords in URLs made unreadable.
func (c Config) Tree() map[string]any {
	root := map[string]any{}
	for _, s := range sections() {
		table := root
		if s.path != "" {
			for name := range strings.SplitSeq(s.path, ".") {
				if table[name] == nil {
					table[name] = map[string]any{}
				}
				table = table[name].(map[string]any)
			}
		}
		for _, k := range s.keys {
			table[lastName(k.path)] = plain(k.value(reflect.ValueOf(c)))
		}
	}
	return root
}

// Changed returns the paths of the keys in which two configurations differ, in the order of the documentation.
func Changed(a, b Config) []string {
	var paths []string
	for _, s := range sections() {
		for _, k := range s.keys {
			if !reflect.DeepEqual(k.value(reflect.ValueOf(a)).Interface(), k.value(reflect.ValueOf(b)).Interface()) {
				paths = append(paths, k.path)
			}
		}
	}
	return paths
}

// DefaultFile returns a YAML file with every key, its meaning and its default, in which only comments stand.
func DefaultFile() ([]byte, error) {
	text, err := Default().write(func(out *bytes.Buffer, indent string, k key, line string) {
		fmt.Fprintf(out, "%s# %s\n%s#%s\n", indent, k.doc, indent, line)
	})
	head := "# Configuration of Signalbox. Every key has its default here; remove the # before those that you change.\n" +
		"# Only domain has no default: set it, or TIGASE_DOMAIN in the environment.\n\n"
	return append([]byte(head), text...), err
}

// write writes all keys in their tables, each as the function says.
func (c Config) write(one func(out *bytes.Buffer, indent string, k key, line string)) ([]byte, error) {
	var out bytes.Buffer
	for _, s := range sections() {
		indent := ""
		if s.path != "" {
			depth := strings.Count(s.path, ".")
			fmt.Fprintf(&out, "%s%s:\n", strings.Repeat("  ", depth), lastName(s.path))
			indent = strings.Repeat("  ", depth+1)
		}
		for _, k := range s.keys {
			value, err := inline(plain(k.value(reflect.ValueOf(c))))
			if err != nil {
				return nil, fmt.Errorf("write %s: %w", k.path, err)
			}
			one(&out, indent, k, lastName(k.path)+": "+value)
		}
	}
	return out.Bytes(), nil
}

func lastName(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }
