package portable

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"path"
	"strings"
)

// meter bounds what is read between two tokens, which the decoder keeps in memory.
type meter struct {
	from io.Reader
	most int
	n    int
}

var errToken = errors.New("a tag or text of more than 16 MiB")

// Read implements io.Reader.
func (m *meter) Read(p []byte) (int, error) {
	if m.n > m.most {
		return 0, errToken
	}
	n, err := m.from.Read(p)
	m.n += n
	return n, err
}

// next returns the next token. What XMPP forbids has no place here either: no document type, with it no entities, and no instructions.
func (f file) next() (xml.Token, error) {
	token, err := f.dec.Token()
	f.in.n = 0
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case xml.Directive:
		return nil, errors.New("a document type, which an export has no need of")
	case xml.ProcInst:
		if t.Target != "xml" {
			return nil, errors.New("a processing instruction, which an export has no need of")
		}
	}
	return token, nil
}

// because says where in the file something is wrong; nil stays nil.
func (f file) because(err error) error {
	if err == nil {
		return nil
	}
	line, _ := f.dec.InputPos()
	return fmt.Errorf("%s, line %d: %w", f.name, line, err)
}

// skip reads up to the end of the element whose start was read.
func (f file) skip() error {
	for depth := 1; depth > 0; {
		token, err := f.next()
		if err != nil {
			return f.because(err)
		}
		switch token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		}
	}
	return nil
}

// texts reads child elements that hold text alone, by their local names, up to the end of the element around them.
func (f file) texts() (map[string]string, error) {
	texts := map[string]string{}
	name := ""
	for {
		token, err := f.next()
		if err != nil {
			return nil, f.because(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if _, twice := texts[t.Name.Local]; twice || name != "" {
				return nil, f.because(fmt.Errorf("<%s/> where it is not expected", t.Name.Local))
			}
			name = t.Name.Local
			texts[name] = ""
		case xml.EndElement:
			if name == "" {
				return texts, nil
			}
			texts[name] = strings.TrimSpace(texts[name])
			name = ""
		case xml.CharData:
			if name == "" {
				continue // white space
			}
			if len(texts[name])+len(t) > maxText {
				return nil, f.because(fmt.Errorf("<%s/> has more than %d bytes", name, maxText))
			}
			texts[name] += string(t)
		}
	}
}

// include reads the document that an XInclude names (XEP-0227 section 5): by a relative path, below the folder of the main file. Paths are relative to the document that
// includes, or, as Tigase writes them, to the main file.
func (r *reader) include(f file, t xml.StartElement) error {
	if err := f.skip(); err != nil {
		return err
	}
	href := attribute(t, "", "href")
	if href == "" || attribute(t, "", "parse") != "" || attribute(t, "", "xpointer") != "" {
		return f.because(errors.New("an include without href, or with parse or xpointer, is not supported"))
	}
	for _, name := range places(f.name, href) {
		if _, err := fs.Stat(r.files, name); err == nil {
			return r.document(name)
		}
	}
	return f.because(fmt.Errorf("it includes %q, which is not there", href))
}

// places returns where a file may lie, as it is written and without the escapes of a URI.
func places(from, href string) (names []string) {
	written := []string{href}
	if plain, err := url.PathUnescape(href); err == nil && plain != href {
		written = append(written, plain)
	}
	for _, base := range []string{path.Dir(from), "."} {
		for _, w := range written {
			if name := path.Join(base, w); fs.ValidPath(name) && !path.IsAbs(w) {
				names = append(names, name)
			}
		}
	}
	return names
}
