package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/dotenv"
	"github.com/knadh/koanf/parsers/yaml"
)

// DotEnv is the name of the file beside the configuration file whose lines count like environment variables of lower rank.
const DotEnv = ".env"

// Source says where a configuration comes from, in the order in which one overrides the other.
type Source struct {
	File     string   // YAML file; empty: none. Relative paths in the configuration start at its directory, else at the working directory.
	Optional bool     // whether File may be missing; DotEnv beside it is read all the same
	Environ  []string // NAME=value, as os.Environ returns it
	Set      []string // key=value from the command line, lists comma separated
}

// Load reads the configuration over Default and validates it. The error names every mistake at once, one per line, each with the path of its key or the name of
// its variable. The warnings are about what was understood and has no effect yet, or was ignored; they come beside an error too.
func Load(s Source) (cfg Config, warnings []string, err error) {
	l := loader{table: newTable(), cfg: Default(), given: map[string]bool{}}
	dir, err := s.directory()
	if err != nil {
		return Config{}, nil, err
	}
	l.file(s.File, s.Optional)
	variables := l.variables(dir, s.Environ)
	l.environment(variables)
	l.flags(s.Set)
	l.seed(variables)
	l.warnLater()
	l.absolute(dir)
	if !l.unreadable {
		l.validate()
	}
	return l.cfg, l.warnings, errors.Join(l.errs...)
}

func (s Source) directory() (string, error) {
	if s.File == "" {
		return os.Getwd()
	}
	path, err := filepath.Abs(s.File)
	return filepath.Dir(path), err
}

// loader collects settings, and what is wrong with them.
type loader struct {
	table    table
	cfg      Config
	given    map[string]bool // paths that somebody set
	errs     []error
	warnings []string

	unreadable bool // a file could not be read: what is in it is not reported as missing
}

func (l *loader) bad(where, format string, args ...any) {
	l.errs = append(l.errs, fmt.Errorf("%s: %s", where, fmt.Sprintf(format, args...)))
}

func (l *loader) warn(where, format string, args ...any) {
	l.warnings = append(l.warnings, where+": "+fmt.Sprintf(format, args...))
}

// file reads the YAML file.
func (l *loader) file(path string, optional bool) {
	if path == "" {
		return
	}
	text, err := os.ReadFile(path)
	if optional && errors.Is(err, fs.ErrNotExist) {
		return
	}
	var tree map[string]any
	if err == nil {
		tree, err = yaml.Parser().Unmarshal(text)
	}
	if err != nil {
		l.unreadable = true
		l.fileError(path, err)
		return
	}
	l.tree("", tree)
}

// fileError names the file once; the parser may have found several mistakes, a line each.
func (l *loader) fileError(path string, err error) {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		l.bad(path, "cannot be read: %v", pe.Err)
		return
	}
	for _, line := range strings.Split(err.Error(), "\n") {
		line = strings.TrimPrefix(strings.TrimSpace(line), "yaml: ")
		if line != "unmarshal errors:" {
			l.bad(path, "%s", line)
		}
	}
}

// tree takes the settings of a table in the file.
func (l *loader) tree(path string, tree map[string]any) {
	names := make([]string, 0, len(tree))
	for name := range tree {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
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

// variables returns the environment over what stands in .env.
func (l *loader) variables(dir string, environ []string) map[string]string {
	all := l.dotEnv(filepath.Join(dir, DotEnv))
	for _, e := range environ {
		if name, value, ok := strings.Cut(e, "="); ok {
			all[name] = value
		}
	}
	return all
}

func (l *loader) dotEnv(path string) map[string]string {
	all := map[string]string{}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return all
	}
	var tree map[string]any
	if err == nil {
		tree, err = dotenv.Parser().Unmarshal(bytes.TrimPrefix(text, []byte("\ufeff")))
	}
	if err != nil {
		l.unreadable = true
		l.fileError(path, err)
		return all
	}
	for name, value := range tree {
		all[name], _ = value.(string) // the parser makes nothing else
	}
	return all
}

// environment takes the variables with our prefix.
func (l *loader) environment(variables map[string]string) {
	for _, name := range sortedNames(variables) {
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
	if value == "" && k.typ != listType && k.typ != mapType {
		return
	}
	l.given[path] = true
	if err := setText(k.value(reflect.ValueOf(&l.cfg).Elem()), value); err != nil {
		l.bad(path, "%s %v", from, err)
	}
}

// pathKeys are the keys whose values are paths of files or directories.
var pathKeys = []string{"data_dir", "certs.dir", "certs.files", "api.tls.cert_file", "api.tls.key_file"}

// absolute makes relative paths start at dir.
func (l *loader) absolute(dir string) {
	from := func(path string) string {
		if path == "" || filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(dir, path)
	}
	for _, path := range pathKeys {
		v := l.table.keys[path].value(reflect.ValueOf(&l.cfg).Elem())
		if v.Kind() == reflect.String {
			v.SetString(from(v.String()))
			continue
		}
		for i := range v.Len() {
			v.Index(i).SetString(from(v.Index(i).String()))
		}
	}
}

// validate adds what Validate finds, without the keys whose values could not be read: those are reported already.
func (l *loader) validate() {
	reported := map[string]bool{}
	for _, err := range l.errs {
		path, _, _ := strings.Cut(err.Error(), ":")
		reported[path] = true
	}
	err := l.cfg.Validate()
	if err == nil {
		return
	}
	for _, line := range strings.Split(err.Error(), "\n") {
		if path, _, _ := strings.Cut(line, ":"); !reported[path] {
			l.errs = append(l.errs, errors.New(line))
		}
	}
}

func sortedNames(m map[string]string) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
