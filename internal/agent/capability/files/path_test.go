package files

import (
	"strings"
	"testing"
)

func TestClean(t *testing.T) {
	for _, tc := range []struct {
		path, want string // empty: refused
		windows    bool
	}{
		{"/", "/", false},
		{"//a///b/", "/a/b", false},
		{"/a/./b", "/a/b", false},
		{`/a\..\b`, `/a\..\b`, false}, // a name like others
		{"/a/../b", "", false},
		{"/..", "", false},
		{"a", "", false},
		{"./a", "", false},
		{"~", "", false},
		{"/a\x00", "", false},
		{"/\xff", "", false},
		{"/" + strings.Repeat("x", 4096), "", false},
		{`C:\`, `C:\`, true},
		{`c:/Users\x y/f.txt`, `c:\Users\x y\f.txt`, true},
		{`C:`, "", true},
		{`C:file`, "", true},
		{`\Windows`, "", true},
		{`\\server\share\f`, "", true},
		{`//server/share/f`, "", true},
		{`\\?\C:\f`, "", true},
		{`\\.\PhysicalDrive0`, "", true},
		{`C:\a\..\b`, "", true},
		{`C:\a/../b`, "", true},
		{`C:\f:stream`, "", true},
		{`C:\NUL`, "", true},
		{`C:\a\con.txt`, "", true},
		{`C:\com1`, "", true},
		{"C:\\LPT\u00b2.log", "", true},
		{`C:\com10`, `C:\com10`, true},
		{`C:\console`, `C:\console`, true},
		{`C:\aux .x`, "", true},
		{`C:\f.`, "", true},
		{`C:\f `, "", true},
		{`C:\f?`, "", true},
		{"C:\\f\n", "", true},
	} {
		got, err := clean(tc.path, tc.windows)
		if got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("clean(%.40q) = %q, %v, want %q", tc.path, got, err, tc.want)
		}
	}
}

// FuzzClean: a path that was taken is taken again and stays as it is.
func FuzzClean(f *testing.F) {
	for _, p := range []string{"/a/b", "/./a//", `C:\a\b`, `C:/NUL`, `\\?\C:\x`} {
		f.Add(p, true)
		f.Add(p, false)
	}
	f.Fuzz(func(t *testing.T, path string, windows bool) {
		got, err := clean(path, windows)
		if err != nil {
			return
		}
		again, err := clean(got, windows)
		if err != nil || again != got {
			t.Fatalf("clean(%q) = %q, and of that %q, %v", path, got, again, err)
		}
	})
}
