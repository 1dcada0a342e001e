//go:build unix

package files

import (
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"signalbox/internal/channel/client"
	"signalbox/internal/signalling"
)

// TestAstray: the server hears of paths that lead where sessions do not get, and not of other mistakes.
func TestAstray(t *testing.T) {
	root, secret := trap(t)
	outside := filepath.Dir(secret)
	for path, tells := range map[string]bool{
		secret: true, "/etc/passwd": true, root + "/../outside/secret": true, root + "/absolute/secret": true, root + "/in/twice/secret": true, outside: true,
		root + "/in/file": false, root + "/in/back": false, root + "/nothing": false, root + "/in/file/x": false, "in/file": false, root + "\x00": false,
	} {
		for name, request := range map[string]func(*client.Files) error{
			"list": func(f *client.Files) error { _, _, err := f.List(t.Context(), path+"/x"); return err },
			"stat": func(f *client.Files) error { _, err := f.Stat(t.Context(), path+"/x"); return err },
			"download": func(f *client.Files) error {
				_, err := f.Download(t.Context(), path, openPart(t, t.TempDir()), nil)
				return err
			},
			"rename": func(f *client.Files) error { return f.Rename(t.Context(), root+"/in/file", path+"/x", false) },
		} {
			var mu sync.Mutex
			var told []string
			s := session()
			s.Blocked = func(why string) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, why)
			}
			l := connect(t, newFiles(t, root).Open(s), nil)
			err := request(l.Files)
			if l.end(); err == nil && tells {
				t.Errorf("%s of %q is done", name, path)
			}
			var want []string
			if tells {
				want = []string{signalling.BlockedPath}
			}
			if !slices.Equal(told, want) {
				t.Errorf("%s of %q: told %q, want %q (%v)", name, path, told, want, err)
			}
		}
	}
}

// TestAstrayOnWindows: so it is with shares, and spellings that pass by the rules of Windows.
func TestAstrayOnWindows(t *testing.T) {
	for path, tells := range map[string]bool{
		`C:\a\..\b`: true, `C:/a/../b`: true, `\\server\share\f`: true, `//server/share/f`: true, `\\?\C:\f`: true, `/\server\share`: true,
		`\Windows`: false, `C:file`: false, `C:\NUL`: false, `file`: false, `C:\a\b`: false,
	} {
		if _, err := clean(path, true); errors.As(err, new(astray)) != tells {
			t.Errorf("clean(%q) = %v, leads astray: want %v", path, err, tells)
		}
	}
}
