package console

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// How long browsers may keep what they have. A file below the version never changes: another build has another version.
const (
	keepAsking  = "no-cache"
	keepForever = "public, max-age=31536000, immutable"
)

// versionDigits is the length of the version in paths.
const versionDigits = 16

// pages are the files of the console, in memory.
type pages struct {
	index   http.Handler
	version string          // of all files together
	files   map[string]file // by path, such as "assets/main.js"
}

// file is one of them.
type file struct {
	media string
	tag   string // ETag
	data  []byte
}

// mediaTypes are those of the files that there may be.
var mediaTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".png": "image/png",
	".ico": "image/x-icon", ".woff2": "font/woff2", ".json": "application/json", ".txt": "text/plain; charset=utf-8", ".map": "application/json",
}

// newPages reads all files. Where index.html says "assets/ it is told to say "assets/VERSION/, so that all that it loads can be kept for ever.
func newPages(from fs.FS) (*pages, error) {
	p := &pages{files: map[string]file{}}
	all := sha256.New()
	err := fs.WalkDir(from, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		media, known := mediaTypes[path.Ext(name)]
		if !known || name != "index.html" && !strings.HasPrefix(name, "assets/") {
			return fmt.Errorf("%s: no file of this type, or in this place, is served", name)
		}
		fmt.Fprintf(all, "%s %d\n", name, len(data))
		all.Write(data)
		p.files[name] = newFile(media, data)
		return nil
	})
	if err != nil {
		return nil, err
	}
	index, there := p.files["index.html"]
	if !there {
		return nil, fmt.Errorf("index.html: %w", fs.ErrNotExist)
	}
	p.version = hex.EncodeToString(all.Sum(nil))[:versionDigits]
	index = newFile(index.media, bytes.ReplaceAll(index.data, []byte(`"assets/`), []byte(`"assets/`+p.version+"/")))
	p.index = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { index.serve(w, r, keepAsking) })
	return p, nil
}

func newFile(media string, data []byte) file {
	sum := sha256.Sum256(data)
	return file{media: media, tag: `"` + hex.EncodeToString(sum[:12]) + `"`, data: data}
}

// ServeHTTP serves what is below assets, with the version in the path or without.
func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, keep := strings.TrimPrefix(r.URL.Path, Path), keepAsking
	if rest, ok := strings.CutPrefix(name, "assets/"+p.version+"/"); ok {
		name, keep = "assets/"+rest, keepForever
	}
	f, there := p.files[name]
	if !there {
		http.NotFound(w, r)
		return
	}
	f.serve(w, r, keep)
}

func (f file) serve(w http.ResponseWriter, r *http.Request, keep string) {
	header := w.Header()
	header.Set("Cache-Control", keep)
	header.Set("ETag", f.tag)
	if strings.Contains(r.Header.Get("If-None-Match"), f.tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	header.Set("Content-Type", f.media)
	header.Set("Content-Length", fmt.Sprint(len(f.data)))
	_, _ = w.Write(f.data) // whoever asked has gone if it fails
}
