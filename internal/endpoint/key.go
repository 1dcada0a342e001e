package endpoint

import (
	"errors"
	"fmt"
)

// Key names an endpoint: everything is keyed by domain and id, since several domains will be tenants (SPEC section 6).
type Key struct {
	Domain string // JID domain, lower case
	ID     string // local part of the JID
}

// JID returns the bare JID, the domain alone where the ID is empty.
func (k Key) JID() string {
	if k.ID == "" {
		return k.Domain
	}
	return k.ID + "@" + k.Domain
}

// String returns the bare JID.
func (k Key) String() string { return k.JID() }

// MaxIDBytes bounds an endpoint id.
const MaxIDBytes = 256

// ErrID says that an endpoint id is not usable. Errors of CheckID wrap it.
var ErrID = errors.New("invalid endpoint id")

// CheckID reports why id cannot name an endpoint: ids are 1 to MaxIDBytes bytes of a-z, 0-9, '.', '_', '-', '+' and '~', a subset on which the address rules
// of RFC 6122 and RFC 7622 agree and which needs no normalisation.
func CheckID(id string) error {
	if id == "" {
		return fmt.Errorf("%w: it is empty", ErrID)
	}
	if len(id) > MaxIDBytes {
		return fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrID, len(id), MaxIDBytes)
	}
	if id == "." || id == ".." {
		return fmt.Errorf("%w: %q means a place in a path", ErrID, id)
	}
	for i := range len(id) {
		if !idByte(id[i]) {
			return fmt.Errorf("%w: %q at byte %d; use a-z, 0-9 and . _ - + ~", ErrID, id[i], i)
		}
	}
	return nil
}

func idByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return true
	case c == '.', c == '_', c == '-', c == '+', c == '~':
		return true
	}
	return false
}
