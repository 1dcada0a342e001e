package files

import (
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"unicode/utf8"

	"signalbox/internal/channel"
)

// astray is the refusal of a path that leads where sessions do not get.
type astray struct{ refusal *channel.Error }

// Error implements error.
func (a astray) Error() string { return a.refusal.Error() }

// Unwrap returns what the other side is told.
func (a astray) Unwrap() error { return a.refusal }

// clean checks a path of a request, and returns it in its shortest spelling. A path is absolute and without "..", for what that means depends on links.
func clean(path string, windows bool) (string, error) {
	invalid := func(why string) (string, error) {
		return "", channel.Refuse(channel.CodeInvalid, "a path must %s", why)
	}
	elements := strings.FieldsFunc(path, func(r rune) bool { return r == '/' || windows && r == '\\' })
	switch {
	case len(path) > channel.MaxPath:
		return invalid("have at most 4096 bytes")
	case !utf8.ValidString(path) || strings.ContainsRune(path, 0):
		return invalid("be UTF-8 without zeros")
	case slices.Contains(elements, ".."):
		return "", astray{channel.Refuse(channel.CodeInvalid, "a path must not go up by ..")}
	case windows && strings.HasPrefix(strings.ReplaceAll(path, "/", `\`), `\\`): // a share, or a spelling past the rules of Windows
		return "", astray{channel.Refuse(channel.CodeInvalid, `a path must begin with a drive, such as C:\`)}
	case !windows && !strings.HasPrefix(path, "/"):
		return invalid("begin with /")
	case !windows:
		return "/" + strings.Join(slices.DeleteFunc(elements, func(e string) bool { return e == "." }), "/"), nil
	case !hasDrive(path):
		return invalid(`begin with a drive, such as C:\`)
	}
	for _, e := range elements[1:] {
		if err := windowsName(e); err != nil {
			return "", err
		}
	}
	return elements[0] + `\` + strings.Join(elements[1:], `\`), nil
}

// hasDrive refuses shares, with which Windows logs in elsewhere by itself, and the spellings that pass by its rules (\\?\, \\.\).
func hasDrive(path string) bool {
	if len(path) < 3 || path[1] != ':' || path[2] != '\\' && path[2] != '/' {
		return false
	}
	letter := path[0] | 0x20
	return letter >= 'a' && letter <= 'z'
}

// windowsName refuses names that mean something else on Windows: devices, streams of a file, what it cuts off by itself.
func windowsName(name string) error {
	base, _, _ := strings.Cut(name, ".")
	base = strings.ToUpper(strings.TrimRight(base, " "))
	bad := strings.ContainsAny(name, `<>:"|?*`) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) || strings.HasSuffix(name, ".") || strings.HasSuffix(name, " ")
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		bad = true
	}
	if number, ok := strings.CutPrefix(base, "COM"); ok {
		bad = bad || portNumber(number)
	}
	if number, ok := strings.CutPrefix(base, "LPT"); ok {
		bad = bad || portNumber(number)
	}
	if bad {
		return channel.Refuse(channel.CodeInvalid, "%q is no name of a file on Windows", name)
	}
	return nil
}

// portNumber: superscript digits count as well.
func portNumber(s string) bool {
	return s != "" && utf8.RuneCountInString(s) == 1 && strings.Contains("0123456789\u00b9\u00b2\u00b3", s)
}

// cleanHere is clean for this system.
func cleanHere(path string) (string, error) {
	path, err := clean(path, runtime.GOOS == "windows")
	if err != nil {
		return "", err
	}
	return filepath.Clean(path), nil
}
