package agent

import (
	"context"
	"strings"
)

// handler does what pushes of one type ask for.
type handler struct {
	// run returns the result; finished is false if ctx ended it before it was through.
	run func(ctx context.Context, p Push) (res Result, finished bool)
	// repeatable handlers run again when the agent ended while they ran.
	repeatable bool
}

// handlers finds the handler of a push type. It does not change after it was made.
type handlers struct {
	exact  map[string]handler
	prefix map[string]handler // "policy." of "policy.*"
}

// newHandlers makes the handlers of the configuration and the built-in ones.
func newHandlers(cfg map[string]Handler, builtins map[string]handler) handlers {
	hs := handlers{exact: map[string]handler{}, prefix: map[string]handler{}}
	for pattern, c := range cfg {
		h := handler{run: command(c).run, repeatable: c.Repeatable}
		if p, ok := strings.CutSuffix(pattern, "*"); ok {
			hs.prefix[p] = h
		} else {
			hs.exact[pattern] = h
		}
	}
	for name, h := range builtins {
		hs.exact[name] = h
	}
	return hs
}

// find prefers the exact name, then the longest prefix.
func (hs handlers) find(name string) (handler, bool) {
	if !validType(name) {
		return handler{}, false
	}
	if h, ok := hs.exact[name]; ok {
		return h, true
	}
	for end := strings.LastIndexByte(name, '.'); end >= 0; end = strings.LastIndexByte(name[:end], '.') {
		if h, ok := hs.prefix[name[:end+1]]; ok {
			return h, true
		}
	}
	return handler{}, false
}

// validPattern reports whether s is a type, or a dotted prefix of types followed by "*".
func validPattern(s string) bool {
	if p, ok := strings.CutSuffix(s, ".*"); ok {
		return validType(p)
	}
	return validType(s)
}
