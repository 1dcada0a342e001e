package config

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

const docHead = `# Configuration

This page is printed by ` + "`signalbox config doc`" + `; ` + "`signalbox config default`" + ` prints a commented file to begin with.

One YAML file, ` + "`/etc/signalbox/signalbox.yaml`" + ` if neither ` + "`--config`" + ` nor ` + "`SIGNALBOX_CONFIG`" + ` names another. Each source overrides the one before it:

1. the defaults below;
2. the file;
3. the lines of ` + "`.env`" + ` beside the file, named like the environment variables;
4. the environment;
5. ` + "`--set key=value`" + ` on the command line.

Durations are written with their units, such as ` + "`90s`, `5m` or `48h`" + `; sizes are bytes. In the environment and behind ` + "`--set`" + ` the entries of a list are comma separated, those of a table
too, as ` + "`name=value`" + `. There, an empty value empties a list or table and counts as not given for everything else. Relative paths start at the directory of the file. An unknown key
in the file is a mistake; an unknown variable that begins with SIGNALBOX_ is a warning. ` + "`SIGNALBOX_API_URL`, `SIGNALBOX_API_TOKEN` and `SIGNALBOX_CONFIG`" + ` belong to the command line.
` + "`signalbox config check`" + ` names every mistake at once; with one the server does not start (exit status 78).
`

// Doc returns the reference of all keys as Markdown, made of nothing but the tags and the defaults.
func Doc() ([]byte, error) {
	var out bytes.Buffer
	out.WriteString(docHead)
	defaults := reflect.ValueOf(Default())
	for _, s := range sections() {
		title := s.path
		if title == "" {
			title = "General"
		}
		fmt.Fprintf(&out, "\n## %s\n\n", title)
		if s.doc != "" {
			fmt.Fprintf(&out, "%s\n\n", s.doc)
		}
		out.WriteString("| key | type | default | environment | meaning |\n|---|---|---|---|---|\n")
		for _, k := range s.keys {
			value, err := inline(plain(k.value(defaults)))
			if err != nil {
				return nil, fmt.Errorf("document %s: %w", k.path, err)
			}
			fmt.Fprintf(&out, "| `%s` | %s | `%s` | `%s` | %s |\n", k.path, typeName(k.typ), cell(value), k.env(), cell(k.doc))
		}
	}
	docLater(&out)
	docSeed(&out)
	return out.Bytes(), nil
}

func docLater(out *bytes.Buffer) {
	out.WriteString("\n## Keys of parts to come\n\nThese are accepted, with a warning, and have no effect in this version.\n\n| key | meaning |\n|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(laterSections)) {
		fmt.Fprintf(out, "| `%s.*` | %s |\n", name, cell(laterSections[name]))
	}
	for _, path := range slices.Sorted(maps.Keys(laterKeys)) {
		fmt.Fprintf(out, "| `%s` | %s |\n", path, cell(laterKeys[path]))
	}
}

func docSeed(out *bytes.Buffer) {
	out.WriteString("\n## Names of other installations\n\nThese variables, in the environment or in `.env`, work as they are. The keys above rank before them.\n\n| variable | meaning |\n|---|---|\n")
	for _, s := range seedNames() {
		fmt.Fprintf(out, "| `%s` | %s |\n", s.name, cell(s.doc))
	}
}

// cell writes text into a table of Markdown.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
