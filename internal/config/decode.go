package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// setTree sets v to a value as YAML holds it. Nothing is converted silently: a number is no text and a text no number.
func setTree(v reflect.Value, value any) error {
	switch {
	case value == nil:
		return fmt.Errorf("has no value, must be %s", wanted(v.Type()))
	case v.Type() == listType:
		return setList(v, value)
	case v.Type() == mapType:
		return setMap(v, value)
	case v.Type() == durationType:
		if text, ok := value.(string); ok {
			return setText(v, text)
		}
		if value == 0 {
			v.SetInt(0)
			return nil
		}
	case v.Type() == reflect.TypeOf(value):
		v.Set(reflect.ValueOf(value))
		return nil
	}
	return fmt.Errorf("is %s, must be %s", describe(value), wanted(v.Type()))
}

func setList(v reflect.Value, value any) error {
	items, ok := value.([]any)
	if !ok {
		return fmt.Errorf("is %s, must be %s", describe(value), wanted(v.Type()))
	}
	list := make([]string, len(items))
	for i, item := range items {
		if list[i], ok = item.(string); !ok {
			return fmt.Errorf("has %s as entry %d, must be %s", describe(item), i, wanted(v.Type()))
		}
	}
	v.Set(reflect.ValueOf(list))
	return nil
}

func setMap(v reflect.Value, value any) error {
	items, ok := value.(map[string]any)
	if !ok {
		return fmt.Errorf("is %s, must be %s", describe(value), wanted(v.Type()))
	}
	texts := make(map[string]string, len(items))
	for name, item := range items {
		if texts[name], ok = item.(string); !ok {
			return fmt.Errorf("has %s for %s, must be %s", describe(item), name, wanted(v.Type()))
		}
	}
	v.Set(reflect.ValueOf(texts))
	return nil
}

// setText sets v to a value that came as text, from the environment or the command line. Entries of lists and tables are comma separated.
func setText(v reflect.Value, text string) error {
	var value any
	var err error
	switch {
	case v.Type() == durationType:
		value, err = time.ParseDuration(text)
	case v.Type() == listType:
		value = splitList(text)
	case v.Type() == mapType:
		value, err = splitMap(text)
	case v.Kind() == reflect.Bool:
		value, err = strconv.ParseBool(text)
	case v.Kind() == reflect.Int:
		value, err = strconv.Atoi(text)
	default:
		value = text
	}
	if err != nil {
		return fmt.Errorf("is %s, must be %s", describe(text), wanted(v.Type()))
	}
	v.Set(reflect.ValueOf(value))
	return nil
}

// splitList returns the entries of a comma separated list; there is no empty entry.
func splitList(text string) []string {
	list := []string{}
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}

func splitMap(text string) (map[string]string, error) {
	m := map[string]string{}
	for _, item := range splitList(text) {
		name, value, ok := strings.Cut(item, "=")
		if !ok {
			return nil, fmt.Errorf("%q has no =", item)
		}
		m[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return m, nil
}

// wanted says in words, with an example, what a key takes.
func wanted(t reflect.Type) string {
	switch {
	case t == durationType:
		return "a duration with its unit, such as 90s or 5m"
	case t == listType:
		return `a list of texts, such as ["a", "b"]`
	case t == mapType:
		return `a table of texts, such as {name: value}; name=value,... in the environment`
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	}
	return "a text; put it in quotes"
}

// describe says what a value is.
func describe(value any) string {
	switch v := value.(type) {
	case nil:
		return "empty"
	case string:
		return fmt.Sprintf("the text %q", mask(v))
	case bool:
		return fmt.Sprintf("the truth value %v", v)
	case map[string]any:
		return "a table"
	case []any:
		return "a list"
	case time.Time:
		return "a date"
	}
	return fmt.Sprintf("the number %v", value)
}
