package feature

import (
	"slices"
	"strings"

	"signalbox/xmpp/scan"
)

// Form is extended information about the server in its disco#info (XEP-0128).
type Form struct {
	Type   string // FORM_TYPE
	Fields []Field
}

// Field is one field of a form.
type Field struct {
	Var    string
	Values []string
}

// appendForms appends the forms as results (XEP-0004 section 3.2).
func appendForms(b []byte, forms []Form) []byte {
	for _, f := range forms {
		b = append(b, "<x xmlns='"+nsData+"' type='result'><field var='FORM_TYPE' type='hidden'>"...)
		b = append(appendElement(b, "value", f.Type), "</field>"...)
		for _, field := range f.Fields {
			b = append(scan.AppendAttribute(append(b, "<field"...), "var", field.Var), '>')
			for _, v := range field.Values {
				b = appendElement(b, "value", v)
			}
			b = append(b, "</field>"...)
		}
		b = append(b, "</x>"...)
	}
	return b
}

// capsLines returns what the forms add to the verification string of XEP-0115 section 5.1: by their types, their fields by their names, values in order.
func capsLines(forms []Form) (lines []string) {
	forms = slices.SortedFunc(slices.Values(forms), func(a, b Form) int { return strings.Compare(a.Type, b.Type) })
	for _, f := range forms {
		lines = append(lines, f.Type)
		for _, field := range slices.SortedFunc(slices.Values(f.Fields), func(a, b Field) int { return strings.Compare(a.Var, b.Var) }) {
			lines = append(append(lines, field.Var), slices.Sorted(slices.Values(field.Values))...)
		}
	}
	return lines
}
