package enrolment

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
)

var errFlat = errors.New("is no object of these texts")

// flat reads one JSON object whose members are texts with these names, each at most once, and nothing behind it.
func flat(d *json.Decoder, names ...string) (map[string]string, error) {
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.Join(errFlat, err)
	}
	fields := map[string]string{}
	for d.More() {
		name, err := text(d)
		if err != nil {
			return nil, err
		}
		if _, twice := fields[name]; twice || !slices.Contains(names, name) {
			return nil, errFlat
		}
		if fields[name], err = text(d); err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return nil, errors.Join(errFlat, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.Join(errFlat, err)
	}
	return fields, nil
}

func text(d *json.Decoder) (string, error) {
	t, err := d.Token()
	s, ok := t.(string)
	if err != nil || !ok {
		return "", errors.Join(errFlat, err)
	}
	return s, nil
}
