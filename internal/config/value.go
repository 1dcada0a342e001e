package config

import (
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// plain returns the value of a key as YAML and JSON have it: durations as text, passwords made unreadable, empty lists and tables instead of none.
func plain(v reflect.Value) any {
	switch value := v.Interface().(type) {
	case time.Duration:
		return formatDuration(value)
	case string:
		return mask(value)
	case []string:
		masked := make([]string, len(value))
		for i, text := range value {
			masked[i] = mask(text)
		}
		return masked
	case map[string]string:
		masked := make(map[string]string, len(value))
		for name, text := range value {
			masked[name] = mask(text)
		}
		return masked
	}
	return v.Interface()
}

// formatDuration writes 48h0m0s as 48h.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// inline writes a value as YAML in one line.
func inline(value any) (string, error) {
	var n yaml.Node
	if err := n.Encode(value); err != nil {
		return "", err
	}
	if n.Kind != yaml.ScalarNode {
		n.Style = yaml.FlowStyle
	}
	text, err := yaml.Marshal(&n)
	return strings.TrimSpace(string(text)), err
}
