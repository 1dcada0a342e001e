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

// isLater reports whether a path is accepted although its part is not built.
func isLater(path string) bool {
	top, _, _ := strings.Cut(path, ".")
	return laterSections[top] != ""
}

// laterPaths returns what may be written of these, for suggestions.
func laterPaths() []string {
	return slices.Collect(maps.Keys(laterSections))
}

// laterOfEnv returns the path that a variable stands for if its part is not built, else nothing. Where the words of a key end cannot be known of a section
// without keys: all of them count as one.
func laterOfEnv(name string) string {
	for section := range laterSections {
		if rest, ok := strings.CutPrefix(name, envName(section)+"_"); ok && rest != "" {
			return section + "." + strings.ToLower(rest)
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
