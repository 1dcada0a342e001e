package feature

import (
	"crypto/sha1" //nolint:gosec // the hash that all clients know, see XEP-0115 section 5.1
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"sync"

	"signalbox/xmpp/scan"
)

// verification returns the string of XEP-0115 section 5.1 for an answer to disco#info; false: it is ill-formed by section 5.4, so its hash proves nothing.
func verification(info scan.Element) (text string, sound bool) {
	var identities, features, forms []string
	sound = true
	for c := range info.Children() {
		switch {
		case c.Is(nsData, "x"):
			form, ok := verificationForm(c)
			forms, sound = append(forms, form), sound && ok
		case string(c.Local()) == "identity":
			identities = append(identities, attribute(c, "category")+"/"+attribute(c, "type")+"/"+attribute(c, "xml:lang")+"/"+attribute(c, "name")+"<")
		case string(c.Local()) == "feature":
			features = append(features, attribute(c, "var")+"<")
		}
	}
	for _, list := range [][]string{identities, features, forms} {
		slices.Sort(list)
		for i := range list {
			sound = sound && (i == 0 || list[i] == "" || list[i] != list[i-1])
		}
	}
	return strings.Join(slices.Concat(identities, features, forms), ""), sound
}

func attribute(el scan.Element, name string) string {
	v, _ := el.Attr(name)
	return string(v)
}

// verificationForm returns the part of one form, which begins with its FORM_TYPE, so that forms sort by it; a form without one counts for nothing.
func verificationForm(x scan.Element) (text string, sound bool) {
	var types, fields []string
	for f := range x.Children() {
		if !f.Is(nsData, "field") {
			continue
		}
		var values []string
		for v := range f.Children() {
			if v.Is(nsData, "value") {
				values = append(values, v.Text()+"<")
			}
		}
		slices.Sort(values)
		switch name := attribute(f, "var"); {
		case name != "FORM_TYPE":
			fields = append(fields, name+"<"+strings.Join(values, ""))
		case attribute(f, "type") == "hidden":
			types = append(types, values...)
		}
	}
	if len(types) == 0 {
		return "", true
	}
	slices.Sort(fields)
	return types[0] + strings.Join(fields, ""), len(slices.Compact(types)) == 1
}

// proves reports whether the hash of a verification string is the one that a client claimed. Other algorithms prove nothing.
func proves(text, hash, ver string) bool {
	switch hash {
	case "sha-1":
		sum := sha1.Sum([]byte(text))
		return base64.StdEncoding.EncodeToString(sum[:]) == ver
	case "sha-256":
		sum := sha256.Sum256([]byte(text))
		return base64.StdEncoding.EncodeToString(sum[:]) == ver
	}
	return false
}

const (
	maxCaps      = 1000
	maxCapsBytes = 1 << 20
	capsOverhead = 128 // bytes of an entry besides its text, about
)

// capsCache holds what hashes stand for that were proved. The zero value is empty. It is safe for concurrent use.
type capsCache struct {
	mu    sync.Mutex
	byVer map[string][]string // wishes by algorithm and hash
	bytes int
}

func (c *capsCache) find(hash, ver string) (wishes []string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wishes, ok = c.byVer[hash+" "+ver]
	return wishes, ok
}

// add keeps an entry; any other gives way to it, whose clients are asked once more.
func (c *capsCache) add(hash, ver string, wishes []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := hash + " " + ver
	if _, ok := c.byVer[key]; ok {
		return
	}
	size := capsBytes(key, wishes)
	for k, w := range c.byVer {
		if len(c.byVer) < maxCaps && c.bytes+size <= maxCapsBytes {
			break
		}
		delete(c.byVer, k)
		c.bytes -= capsBytes(k, w)
	}
	if c.byVer == nil {
		c.byVer = make(map[string][]string)
	}
	c.byVer[key] = wishes
	c.bytes += size
}

func capsBytes(key string, wishes []string) int {
	n := capsOverhead + len(key)
	for _, w := range wishes {
		n += len(w) + 16
	}
	return n
}
