//go:build unix

package files

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"signalbox/internal/channel"
	"signalbox/internal/channel/client"
)

// trap is a folder that sessions are confined to, beside one with a secret, and links that lead out of it.
func trap(t *testing.T) (root, secret string) {
	t.Helper()
	all := t.TempDir()
	root, outside := filepath.Join(all, "root"), filepath.Join(all, "outside")
	err := errors.Join(os.Mkdir(root, 0o755), os.Mkdir(outside, 0o755), os.Mkdir(filepath.Join(root, "in"), 0o755))
	secret = filepath.Join(outside, "secret")
	write(t, secret, "secret")
	write(t, filepath.Join(root, "in", "file"), "public")
	for name, to := range map[string]string{
		"absolute": outside, "relative": "../outside", "file": secret, "up": "..", "in/twice": "../relative", "good": "in", "in/back": "../in/file",
	} {
		err = errors.Join(err, os.Symlink(to, filepath.Join(root, name)))
	}
	if err != nil {
		t.Fatal(err)
	}
	return root, secret
}

// TestConfined: no path leads a session out of its folder, for any request.
func TestConfined(t *testing.T) {
	root, secret := trap(t)
	l := connect(t, newFiles(t, root).Open(session()), nil)
	defer l.end()
	ctx := t.Context()
	requests := map[string]func(path string) error{
		"list":     func(path string) error { _, _, err := l.List(ctx, filepath.Dir(path)); return err },
		"stat":     func(path string) error { _, err := l.Stat(ctx, path); return err },
		"download": func(path string) error { _, err := l.Download(ctx, path, openPart(t, t.TempDir()), nil); return err },
		"upload": func(path string) error {
			_, err := l.Upload(ctx, path, strings.NewReader("evil"), 4, client.UploadOptions{Overwrite: true})
			return err
		},
		"upload beside": func(path string) error {
			_, err := l.Upload(ctx, path+"2", strings.NewReader("evil"), 4, client.UploadOptions{})
			return err
		},
		"mkdir":       func(path string) error { return l.Mkdir(ctx, path+"3") },
		"remove":      func(path string) error { return l.Remove(ctx, path, true) },
		"rename away": func(path string) error { return l.Rename(ctx, path, filepath.Join(root, "loot"), true) },
		"rename onto": func(path string) error { return l.Rename(ctx, filepath.Join(root, "in", "file"), path, true) },
	}
	for _, path := range []string{
		secret,
		root + "/../outside/secret",
		root + "/in/../../outside/secret",
		root + "/absolute/secret",
		root + "/relative/secret",
		root + "/in/twice/secret",
		root + "/up/outside/secret",
		"/etc/passwd",
		root + "2/secret",
		strings.ToUpper(root) + "/x",
		root + "\x00/secret",
		"in/file",
		"",
		strings.Repeat("/x", channel.MaxPath),
	} {
		for name, request := range requests {
			err := request(path)
			var refusal *channel.Error
			if !errors.As(err, &refusal) {
				t.Errorf("%s of %.60q: %v, want a refusal", name, path, err)
			} else if refusal.Code != channel.CodeNotPermitted && refusal.Code != channel.CodeInvalid {
				t.Errorf("%s of %.60q: %v", name, path, refusal)
			}
		}
	}
	_, err := l.Download(ctx, root+"/file", openPart(t, t.TempDir()), nil)
	wantCode(t, "a link to the secret", err, channel.CodeNotPermitted)
	if text, err := os.ReadFile(secret); string(text) != "secret" {
		t.Errorf("the secret is %q, %v", text, err)
	}
	if names, _ := os.ReadDir(filepath.Dir(secret)); len(names) != 1 {
		t.Errorf("outside there is %v", names)
	}
	entries, _, err := l.List(ctx, root+"/good")
	if err != nil || len(entries) != 3 {
		t.Errorf("a link that stays inside: %+v, %v", entries, err)
	}
	into := t.TempDir()
	if _, err := l.Download(ctx, root+"/in/back", openPart(t, into), nil); err != nil {
		t.Errorf("a link that stays inside: %v", err)
	}
	if roots, err := l.Roots(ctx); err != nil || len(roots) != 1 || roots[0].Path != root {
		t.Errorf("Roots = %+v, %v", roots, err)
	}
	wantCode(t, "the folder itself", l.Remove(ctx, root, true), channel.CodeNotPermitted)
}

// TestSpecialFiles: devices and pipes are shown, and neither read nor replaced; nothing waits for them.
func TestSpecialFiles(t *testing.T) {
	l, ctx, dir := open(t), t.Context(), t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	if err := os.Symlink(pipe, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, filepath.Join(dir, "link"), "/dev/zero", dir} {
		_, err := l.Download(ctx, path, openPart(t, t.TempDir()), nil)
		wantCode(t, "download of "+path, err, channel.CodeInvalid)
	}
	_, err := l.Upload(ctx, pipe, bytes.NewReader([]byte("x")), 1, client.UploadOptions{Overwrite: true})
	wantCode(t, "upload onto a pipe", err, channel.CodeInvalid)
	if e, err := l.Stat(ctx, pipe); err != nil || e.Kind != channel.KindOther {
		t.Errorf("Stat = %+v, %v", e, err)
	}
	if err := l.Remove(ctx, "/", true); err == nil {
		t.Fatal("everything was removed")
	}
}

// TestNames: bytes that are no UTF-8 are shown, and no request can be made for more than what it says.
func TestNames(t *testing.T) {
	l, dir := open(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a\xffb"), nil, 0o600); err != nil {
		t.Skip(err)
	}
	entries, _, err := l.List(t.Context(), dir)
	if err != nil || len(entries) != 1 || entries[0].Name != "a\ufffdb" {
		t.Errorf("%+v, %v", entries, err)
	}
}
