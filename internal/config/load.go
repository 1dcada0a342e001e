package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
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

// ErrUnreadable marks errors of Load where a file cannot be read or is no YAML: what it sets is not known, and nothing was validated.
var ErrUnreadable = errors.New("the configuration cannot be read")

// unreadableError is the mistakes of a configuration that cannot be read.
type unreadableError struct{ error }

// Unwrap returns ErrUnreadable.
func (unreadableError) Unwrap() error { return ErrUnreadable }

// Load reads the configuration over Default and validates it. The error names every mistake at once, one per line, each with the path of its key or the name of
// its variable; beside an ErrUnreadable the configuration means nothing, beside others the good values stand. The warnings are about what was understood and
// has no effect yet, or was ignored; they come beside an error too.
func Load(s Source) (cfg Config, warnings []string, err error) {
	l := loader{table: newTable(), cfg: Default(), given: map[string]bool{}}
	dir, err := s.directory()
	if err != nil {
		return Config{}, nil, err
	}
	l.file(s.File, s.Optional)
	ranks := []map[string]string{l.dotEnv(filepath.Join(dir, DotEnv)), variables(s.Environ)}
	for _, r := range ranks {
		l.environment(r)
	}
	l.flags(s.Set)
	l.seed(ranks)
	l.warnLater()
	l.absolute(dir)
	if l.unreadable {
		return l.cfg, l.warnings, unreadableError{errors.Join(l.errs...)}
	}
	l.validate()
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

// pathKeys are the keys whose values are paths of files or directories.
var pathKeys = []string{"data_dir", "certs.dir", "certs.files", "xmpp.client_ca", "xmpp.component_ca", "xmpp.components", "turn.external_secret_file", "turn.secret_file", "turn.rest_secret_file", "turn.control.cert_file", "turn.control.key_file", "turn.control.ca_file", "events.secret_file", "events.ca_file", "api.tls.cert_file", "api.tls.key_file"}

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
		switch v.Kind() {
		case reflect.String:
			v.SetString(from(v.String()))
		case reflect.Map:
			for _, name := range v.MapKeys() {
				v.SetMapIndex(name, reflect.ValueOf(from(v.MapIndex(name).String())))
			}
		default:
			for i := range v.Len() {
				v.Index(i).SetString(from(v.Index(i).String()))
			}
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
