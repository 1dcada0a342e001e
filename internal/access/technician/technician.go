// Package technician knows who may use the console: accounts with their passwords and roles, sign-ins, and links that sign in once.
package technician

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of what describes an account.
const (
	MaxNameBytes    = 64
	MaxDisplayBytes = 128
	MaxRoles        = 16 // of one account
)

// Technician is an account of the console.
type Technician struct {
	ID       string // "tec_..."
	Domain   string
	Name     string   // what it signs in with, unique in its domain, see CheckName
	Display  string   // what users at endpoints are shown; empty: Name
	Roles    []string // names
	Enabled  bool
	Password string // see hashPassword; empty: it signs in by links alone
	Created  time.Time
	Updated  time.Time
}

// Shown returns the name that people are shown.
func (t Technician) Shown() string {
	if t.Display != "" {
		return t.Display
	}
	return t.Name
}

// New describes an account that is to be made. Errors of Create name what is wrong with it.
type New struct {
	Name, Display string
	Password      string // empty: none
	Roles         []string
	Disabled      bool
}

// Patch changes an account; nil fields stay as they are.
type Patch struct {
	Display  *string
	Roles    []string // replaces all; non-nil and empty removes them
	Enabled  *bool    // false ends its sign-ins
	Password *string  // empty removes it; a change ends its sign-ins
}

// Apply changes t, and reports whether its sign-ins end by it.
func (p Patch) Apply(t *Technician) (ends bool) {
	if p.Display != nil {
		t.Display = *p.Display
	}
	if p.Roles != nil {
		t.Roles = p.Roles
	}
	if p.Enabled != nil {
		t.Enabled = *p.Enabled
		ends = !t.Enabled
	}
	if p.Password != nil {
		t.Password = *p.Password
		ends = true
	}
	return ends
}

// Errors of accounts, roles and sign-ins.
var (
	ErrUnknown     = errors.New("unknown technician")
	ErrExists      = errors.New("a technician of this name exists already")
	ErrUnknownRole = errors.New("unknown role")
	ErrRoleExists  = errors.New("a role of this name exists already")
	ErrRoleUsed    = errors.New("technicians have this role")
	ErrBuiltIn     = errors.New("this role is built in")
	ErrInvalid     = errors.New("not usable") // wrapped by what names the field first
	ErrTooMany     = errors.New("too many technicians or roles")

	ErrCredentials = errors.New("wrong name or password")
	ErrLink        = errors.New("the link was used, has expired or is none of ours")
	ErrOther       = errors.New("somebody else is signed in")
	ErrNotSignedIn = errors.New("not signed in")
	ErrDisabled    = errors.New("the technician is disabled")
	ErrNoPassword  = errors.New("the technician has no password")
	ErrBusy        = errors.New("too many sign in at the same time")
)

// invalid is a mistake in a field.
func invalid(field, format string, args ...any) error {
	return fmt.Errorf("%s: %w: %s", field, ErrInvalid, fmt.Sprintf(format, args...))
}

const idPrefix = "tec_"

// CheckName reports why nobody can sign in with a name: it has 1 to MaxNameBytes bytes of a-z, 0-9 and . _ - + @, and does not begin as an id does.
func CheckName(name string) error {
	switch {
	case len(name) < 1 || len(name) > MaxNameBytes:
		return invalid("name", "%d bytes, 1 to %d are allowed", len(name), MaxNameBytes)
	case strings.ContainsFunc(name, notInName):
		return invalid("name", "a-z, 0-9 and . _ - + @ are allowed")
	case name == "." || name == ".." || strings.HasPrefix(name, idPrefix):
		return invalid("name", "it begins with %s as an id does, or is a place in a path", idPrefix)
	}
	return nil
}

func notInName(r rune) bool {
	return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || strings.ContainsRune("._-+@", r))
}

func checkDisplay(display string) error {
	switch {
	case len(display) > MaxDisplayBytes:
		return invalid("display_name", "%d bytes, at most %d are allowed", len(display), MaxDisplayBytes)
	case !utf8.ValidString(display) || strings.ContainsFunc(display, func(r rune) bool { return !unicode.IsPrint(r) }) || display != strings.TrimSpace(display):
		return invalid("display_name", "it is one line of printable characters without spaces at its ends")
	}
	return nil
}

// digits are Crockford's, which sort as the numbers do.
var digits = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// newID returns "tec_" and 26 digits that sort by time: 48 bits of milliseconds and 80 random bits.
func newID(now time.Time) string {
	var b [18]byte
	binary.BigEndian.PutUint64(b[:], uint64(now.UnixMilli()))
	rand.Read(b[8:]) // never fails, see crypto/rand
	return idPrefix + digits.EncodeToString(b[2:])
}

const secretBytes = 32

// newSecret returns what a cookie or a link is worth; it can stand in a URL.
func newSecret() string {
	var b [secretBytes]byte
	rand.Read(b[:]) // never fails, see crypto/rand
	return base64.RawURLEncoding.EncodeToString(b[:])
}
