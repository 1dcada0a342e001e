package agent

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"

	agentpath "signalbox/internal/agent/path"
)

// Load reads a YAML file over Default and settings over both; path may be empty if settings say all. settings maps keys, such as
// "id" or "log.level", to values as YAML would hold them. The errors name every mistake with its key; what Validate finds is among them.
func Load(path string, settings map[string]any) (Config, error) {
	raw := map[string]any{}
	if path != "" {
		k := koanf.New("\x00") // push types have dots: no key of ours is a path
		if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
			return Config{}, fmt.Errorf("%s: %w", path, err)
		}
		raw = k.Raw()
	}
	secrets := secretsIn(raw)
	for key, value := range settings {
		override(raw, key, value)
	}
	cfg := Default()
	var d decoder
	d.structure("", reflect.ValueOf(&cfg).Elem(), raw)
	cfg.setTimeouts()
	for _, key := range secrets {
		if err := private(path); err != nil {
			d.errs = append(d.errs, fmt.Errorf("%s: %w", key, err))
		}
	}
	if d.errs != nil { // what could not be read would be reported again as missing
		return Config{}, errors.Join(d.errs...)
	}
	return cfg, cfg.Validate()
}

// secretsIn returns the keys of a file that hold a secret.
func secretsIn(raw map[string]any) (keys []string) {
	if _, ok := raw["secret"]; ok {
		keys = append(keys, "secret")
	}
	if proxy, ok := raw["proxy"].(string); ok && agentpath.HasPassword(proxy) {
		keys = append(keys, "proxy")
	}
	return keys
}

// override sets a key of raw or of a table in it. What is no table is left alone, to be reported as a mistake.
func override(raw map[string]any, key string, value any) {
	table, rest, nested := strings.Cut(key, ".")
	if !nested {
		raw[key] = value
		return
	}
	inner, ok := raw[table].(map[string]any)
	if !ok && raw[table] == nil {
		inner = map[string]any{}
		raw[table] = inner
	}
	if inner != nil {
		override(inner, rest, value)
	}
}

func (c *Config) setTimeouts() {
	for name, h := range c.Handlers {
		if h.Timeout == 0 {
			h.Timeout = DefaultTimeout
			c.Handlers[name] = h
		}
	}
}

// decoder fills structures from what YAML held, by the key tags, without converting one type into another.
type decoder struct{ errs []error }

func (d *decoder) bad(path, format string, args ...any) {
	d.errs = append(d.errs, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// structure sets the fields of v that raw has.
func (d *decoder) structure(path string, v reflect.Value, raw map[string]any) {
	fields := map[string]reflect.Value{}
	for i := range v.NumField() {
		fields[v.Type().Field(i).Tag.Get("key")] = v.Field(i)
	}
	for _, key := range slices.Sorted(maps.Keys(raw)) {
		if f, ok := fields[key]; ok {
			d.value(join(path, key), f, raw[key])
		} else {
			d.bad(join(path, key), "is unknown")
		}
	}
}

var durationType = reflect.TypeFor[time.Duration]()

// value sets v to raw if it has v's type.
func (d *decoder) value(path string, v reflect.Value, raw any) {
	if v.Type() == durationType {
		d.duration(path, v, raw)
		return
	}
	switch v.Kind() {
	case reflect.String:
		if s, ok := raw.(string); ok {
			v.SetString(s)
			return
		}
		d.bad(path, "must be a text; put it in quotes")
	case reflect.Bool:
		if b, ok := raw.(bool); ok {
			v.SetBool(b)
			return
		}
		d.bad(path, "must be true or false")
	case reflect.Int:
		if n, ok := raw.(int); ok && n <= math.MaxInt32 {
			v.SetInt(int64(n))
			return
		}
		d.bad(path, "must be a whole number")
	case reflect.Slice:
		d.list(path, v, raw)
	case reflect.Map:
		d.table(path, v, raw)
	case reflect.Struct:
		if fields, ok := d.fields(path, raw); ok {
			d.structure(path, v, fields)
		}
	}
}

func (d *decoder) duration(path string, v reflect.Value, raw any) {
	s, _ := raw.(string)
	n, err := time.ParseDuration(s)
	if err != nil {
		d.bad(path, "must be a duration with a unit, such as 90s or 5m")
		return
	}
	v.SetInt(int64(n))
}

func (d *decoder) list(path string, v reflect.Value, raw any) {
	items, ok := raw.([]any)
	if !ok {
		d.bad(path, "must be a list")
		return
	}
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		d.value(fmt.Sprintf("%s[%d]", path, i), out.Index(i), item)
	}
	v.Set(out)
}

// table fills a map of structures.
func (d *decoder) table(path string, v reflect.Value, raw any) {
	items, ok := raw.(map[string]any)
	if !ok {
		d.bad(path, "must be a table of names")
		return
	}
	out := reflect.MakeMap(v.Type())
	for _, key := range slices.Sorted(maps.Keys(items)) {
		fields, ok := d.fields(join(path, key), items[key])
		if !ok {
			continue
		}
		item := reflect.New(v.Type().Elem()).Elem()
		d.structure(join(path, key), item, fields)
		out.SetMapIndex(reflect.ValueOf(key), item)
	}
	v.Set(out)
}

func (d *decoder) fields(path string, raw any) (map[string]any, bool) {
	fields, ok := raw.(map[string]any)
	if !ok {
		d.bad(path, "must be a table of settings")
	}
	return fields, ok
}
