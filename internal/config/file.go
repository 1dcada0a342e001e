package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
)

// file reads the YAML file.
func (l *loader) file(path string, optional bool) {
	if path == "" {
		return
	}
	text, err := os.ReadFile(path)
	if optional && errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		l.unreadable = true
		l.bad(path, "cannot be read: %s", readMistake(err))
		return
	}
	tree, err := yaml.Parser().Unmarshal(text)
	if err != nil {
		l.unreadable = true
		l.yamlError(path, err)
		return
	}
	l.tree("", tree)
}

// yamlError names the file once; the parser may have found several mistakes, a line each.
func (l *loader) yamlError(path string, err error) {
	for _, line := range strings.Split(err.Error(), "\n") {
		line = strings.TrimPrefix(strings.TrimSpace(line), "yaml: ")
		if line != "unmarshal errors:" {
			l.bad(path, "%s", yamlMistake(line))
		}
	}
}

// tree takes the settings of a table in the file.
func (l *loader) tree(path string, tree map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		l.node(join(path, name), tree[name])
	}
}

func (l *loader) node(path string, value any) {
	k, isKey := l.table.keys[path]
	if odd, ok := value.(map[any]any); ok { // with a key such as 1 in it
		value = withTextKeys(odd)
	}
	inner, isTable := value.(map[string]any)
	switch {
	case isKey && placeholder(value) != "":
		l.given[path] = true
		l.bad(path, "has %s in it, and variables are not filled in in this file: write the value itself, or set %s in the environment or in %s", placeholder(value), k.env(), DotEnv)
	case isKey:
		l.given[path] = true
		if err := setTree(k.value(reflect.ValueOf(&l.cfg).Elem()), value); err != nil {
			l.bad(path, "%v", err)
		}
	case l.table.sections[path] && isTable:
		l.tree(path, inner)
	case value == nil && (l.table.sections[path] || laterSections[path] != ""): // a table whose keys are all commented out
	case l.table.sections[path]:
		l.bad(path, "is %s, must be a table of keys", describe(value))
	case isLater(path) && isTable && laterSections[path] != "":
		l.laterTree(path, inner)
	case isLater(path):
		l.given[path] = true
	default:
		l.bad(path, "is an unknown key%s", didYouMean(path, l.known()))
	}
}

func withTextKeys(odd map[any]any) map[string]any {
	m := make(map[string]any, len(odd))
	for name, value := range odd {
		m[fmt.Sprint(name)] = value
	}
	return m
}

// laterTree takes what is set in a section whose part is not built.
func (l *loader) laterTree(path string, tree map[string]any) {
	for name := range tree {
		l.given[join(path, name)] = true
	}
}

func (l *loader) known() []string {
	var paths []string
	for path := range l.table.keys {
		paths = append(paths, path)
	}
	for path := range l.table.sections {
		paths = append(paths, path)
	}
	return append(paths, laterPaths()...)
}
