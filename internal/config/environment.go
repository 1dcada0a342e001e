package config

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/dotenv"
)

// variables returns the environment by name.
func variables(environ []string) map[string]string {
	all := map[string]string{}
	for _, e := range environ {
		if name, value, ok := strings.Cut(e, "="); ok {
			all[name] = value
		}
	}
	return all
}

// dotEnv returns the lines of a file by name.
func (l *loader) dotEnv(path string) map[string]string {
	all := map[string]string{}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return all
	}
	if err != nil {
		l.unreadable = true
		l.bad(path, "cannot be read: %s", readMistake(err))
		return all
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	tree, err := dotenv.Parser().Unmarshal(text)
	if err != nil {
		l.unreadable = true
		l.bad(path, "%s", dotEnvMistake(string(text)))
		return all
	}
	for name, value := range tree {
		all[name], _ = value.(string) // the parser makes nothing else
	}
	return all
}

// environment takes the variables with our prefix.
func (l *loader) environment(variables map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		path, ok := l.table.byEnv[name]
		switch {
		case !strings.HasPrefix(name, envPrefix) || commandLineNames[name]:
		case ok:
			l.text(path, name, variables[name])
		case laterOfEnv(name) != "":
			if variables[name] != "" {
				l.given[laterOfEnv(name)] = true
			}
		default:
			l.warn(name, "is no variable of ours and is ignored%s", didYouMean(name, l.knownEnv()))
		}
	}
}

// commandLineNames are variables with our prefix that the command line reads itself.
var commandLineNames = map[string]bool{"SIGNALBOX_API_URL": true, "SIGNALBOX_API_TOKEN": true, "SIGNALBOX_CONFIG": true}

func (l *loader) knownEnv() []string {
	var names []string
	for name := range l.table.byEnv {
		names = append(names, name)
	}
	return names
}

// flags takes key=value from the command line.
func (l *loader) flags(set []string) {
	for _, s := range set {
		path, value, ok := strings.Cut(s, "=")
		_, known := l.table.keys[path]
		switch {
		case !ok:
			l.bad(s, "must be key=value")
		case known:
			l.text(path, "--set", value)
		case isLater(path):
			l.given[path] = true
		default:
			l.bad(path, "is an unknown key%s", didYouMean(path, l.known()))
		}
	}
}

// text sets a key to a value that came as text. An empty one counts as not given, except that it empties lists and tables.
func (l *loader) text(path, from, value string) {
	k := l.table.keys[path]
	value = strings.TrimSpace(value) // files of variables may have been written on Windows
	if value == "" && k.typ != listType && k.typ != mapType {
		return
	}
	l.given[path] = true
	if err := setText(k.value(reflect.ValueOf(&l.cfg).Elem()), value); err != nil {
		l.bad(path, "%s %v", from, err)
	}
}
