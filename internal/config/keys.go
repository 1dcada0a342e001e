package config

import (
	"reflect"
	"strings"
	"time"
)

// envPrefix begins the names of our environment variables.
const envPrefix = "SIGNALBOX_"

// key is one setting, found in the composed Config by its tag.
type key struct {
	path  string // such as "listen.tls"
	index []int  // of the field in Config
	typ   reflect.Type
	doc   string
}

// env is the name of the environment variable that sets the key.
func (k key) env() string { return envName(k.path) }

func envName(path string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// value is the field of the key in c, which is addressable if c is.
func (k key) value(c reflect.Value) reflect.Value { return c.FieldByIndex(k.index) }

// section is a table of keys.
type section struct {
	path string // empty for the top
	doc  string
	keys []key
}

// sections returns all keys in the order of the struct: those at the top first, then each table, and tables in it after it.
func sections() []section {
	return walk(section{}, nil, reflect.TypeFor[Config]())
}

func walk(s section, index []int, t reflect.Type) []section {
	var below []section
	s, below = collect(s, below, index, t)
	return append([]section{s}, below...)
}

// collect adds the fields of t to s; fields that are tables go to below, those of an embedded struct count as t's own.
func collect(s section, below []section, index []int, t reflect.Type) (section, []section) {
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(append([]int{}, index...), i)
		path := join(s.path, f.Tag.Get("key"))
		switch {
		case f.Anonymous:
			s, below = collect(s, below, at, f.Type)
		case f.Type.Kind() == reflect.Struct:
			below = append(below, walk(section{path: path, doc: f.Tag.Get("doc")}, at, f.Type)...)
		default:
			s.keys = append(s.keys, key{path: path, index: at, typ: f.Type, doc: f.Tag.Get("doc")})
		}
	}
	return s, below
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// table finds keys and sections by path.
type table struct {
	keys     map[string]key
	sections map[string]bool
	byEnv    map[string]string // environment name -> path
}

func newTable() table {
	t := table{keys: map[string]key{}, sections: map[string]bool{}, byEnv: map[string]string{}}
	for _, s := range sections() {
		t.sections[s.path] = true
		for _, k := range s.keys {
			t.keys[k.path] = k
			t.byEnv[k.env()] = k.path
		}
	}
	return t
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	listType     = reflect.TypeFor[[]string]()
	mapType      = reflect.TypeFor[map[string]string]()
)

// typeName says in words what a key takes.
func typeName(t reflect.Type) string {
	switch {
	case t == durationType:
		return "duration"
	case t == listType:
		return "list of texts"
	case t == mapType:
		return "table of texts"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "whole number"
	}
	return "text"
}
