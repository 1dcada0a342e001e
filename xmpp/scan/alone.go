package scan

import "bytes"

// AppendAlone appends the element so that it means the same wherever it stands: with the declarations that it takes from around it. It may declare a prefix that it
// does not use.
func (e Element) AppendAlone(dst []byte) []byte {
	if e.raw == nil {
		return dst
	}
	dst = append(dst, e.raw[:e.nameEnd]...)
	var declared [][]byte
	for name, _, i := e.nextAttribute(e.nameEnd); name != nil; name, _, i = e.nextAttribute(i) {
		if prefix, ok := declaredPrefix(name); ok {
			declared = append(declared, prefix)
		}
	}
	around := []prefixDecl{{nil, e.inherited(nil)}}
	for s := e.around; s != nil; s = s.outer {
		around = append(around, s.decls...)
	}
	for _, d := range e.scope.decls {
		around = append(around, prefixDecl{d.prefix, d.uri})
	}
	for _, d := range around {
		if e.mentions(d.prefix) && !contains(declared, d.prefix) {
			dst = appendDeclaration(dst, d.prefix, d.uri)
			declared = append(declared, d.prefix)
		}
	}
	return append(dst, e.raw[e.nameEnd:]...)
}

// mentions reports whether a prefix may be used in the element. The default namespace always may.
func (e Element) mentions(prefix []byte) bool {
	for at := e.raw; ; {
		i := bytes.Index(at, prefix)
		if i < 0 || len(prefix) == 0 {
			return i >= 0
		}
		if at = at[i+len(prefix):]; len(at) > 0 && at[0] == ':' {
			return true
		}
	}
}

func contains(list [][]byte, prefix []byte) bool {
	for _, p := range list {
		if bytes.Equal(p, prefix) {
			return true
		}
	}
	return false
}
