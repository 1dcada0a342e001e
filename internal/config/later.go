package config

import (
	"maps"
	"slices"
	"strings"
)

// laterSections are sections that are accepted and whose parts are not built yet, with what they will be about.
var laterSections = map[string]string{
	"gateway": "The gateway for endpoints outside the LAN.",
	"cluster": "Several nodes.",
}

// laterKeys are such keys of sections whose other keys count.
var laterKeys = map[string]string{
	"relay.hosts": "Relays on other hosts.",
}

// isLater reports whether a path is accepted although its part is not built.
func isLater(path string) bool {
	top, _, _ := strings.Cut(path, ".")
	return laterSections[top] != "" || laterKeys[path] != ""
}

// laterPaths returns what may be written of these, for suggestions.
func laterPaths() []string {
	return slices.AppendSeq(slices.Collect(maps.Keys(laterSections)), maps.Keys(laterKeys))
}

// laterOfEnv returns the path that a variable stands for if its part is not built, else nothing. Where the words of a key end cannot be known of a section
// without keys: all of them count as one.
func laterOfEnv(name string) string {
	for section := range laterSections {
		if rest, ok := strings.CutPrefix(name, envName(section)+"_"); ok && rest != "" {
			return section + "." + strings.ToLower(rest)
		}
	}
	for path := range laterKeys {
		if name == envName(path) {
			return path
		}
	}
	return ""
}

// warnLater says of each key that somebody set that its part is not built.
func (l *loader) warnLater() {
	var paths []string
	for path := range l.given {
		if isLater(path) {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	for _, path := range paths {
		l.warn(path, "is accepted and has no effect: this version does not have that part yet")
	}
}
