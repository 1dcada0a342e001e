package command

import (
	"slices"

	"signalbox/xmpp/scan"
)

// The types of fields (XEP-0004 section 3.3) that are used.
const (
	JID      = "jid-single"
	JIDs     = "jid-multi"
	Text     = "text-single"
	Texts    = "text-multi"
	Secret   = "text-private"
	OneOf    = "list-single"
	hidden   = "hidden"
	formType = "FORM_TYPE"
)

// Form is a data form (XEP-0004), to be filled in or to be read.
type Form struct {
	Type         string // its FORM_TYPE (XEP-0068)
	Title        string
	Instructions string
	Fields       []Field
	Payload      []byte // elements of other namespaces behind the fields, as XML
}

// Field is one field of a form.
type Field struct {
	Var, Label, Type string
	Required         bool
	Values           []string
	Options          []string
}

// Values are what was filled in, by the names of the fields. There are no others than those of the form.
type Values map[string][]string

// First returns the first value of a field, empty without one.
func (v Values) First(name string) string {
	if len(v[name]) == 0 {
		return ""
	}
	return v[name][0]
}

// Bounds of a filled-in form.
const (
	maxFields = 100
	maxValues = 1000 // of one field
)

// read takes what was filled in; a form that is not there counts as an empty one. False: it is none of ours, too large, or says two things at once. What the values
// mean is for the command to judge.
func (f *Form) read(x scan.Element) (filled Values, ok bool) {
	filled = Values{}
	if !x.Exists() {
		return filled, true
	}
	if typ, _ := x.Attr("type"); string(typ) != "submit" {
		return nil, false
	}
	n := 0
	for el := range x.Children() {
		if !el.Is(nsForms, "field") {
			continue
		}
		name, _ := el.Attr("var")
		values, bounded := readValues(el)
		_, twice := filled[string(name)]
		if n++; n > maxFields || !bounded || twice {
			return nil, false
		}
		if string(name) == formType {
			if !slices.Equal(values, []string{f.Type}) {
				return nil, false
			}
			continue
		}
		if i := f.index(string(name)); i >= 0 {
			if len(values) > 1 && !f.Fields[i].several() {
				return nil, false
			}
			filled[string(name)] = values
		}
	}
	return filled, true
}

// Fill takes what was filled in elsewhere than in a stanza, by the rules of read: fields that the form does not have are left out. False: a field has more values than
// it may have.
func (f *Form) Fill(given map[string][]string) (filled Values, ok bool) {
	filled = Values{}
	for name, values := range given {
		i := f.index(name)
		if i < 0 {
			continue
		}
		if len(values) > maxValues || len(values) > 1 && !f.Fields[i].several() {
			return nil, false
		}
		filled[name] = values
	}
	return filled, true
}

func readValues(field scan.Element) (values []string, bounded bool) {
	for v := range field.Children() {
		if !v.Is(nsForms, "value") {
			continue
		}
		if len(values) == maxValues {
			return nil, false
		}
		values = append(values, v.Text())
	}
	return values, true
}

func (f *Form) index(name string) int {
	return slices.IndexFunc(f.Fields, func(field Field) bool { return field.Var == name })
}

func (f *Field) several() bool { return f.Type == JIDs || f.Type == Texts }

// appendTo appends the form as XML: form to be filled in, or result.
func (f *Form) appendTo(b []byte, typ string) []byte {
	b = append(scan.AppendAttribute(append(b, "<x xmlns='"+nsForms+"'"...), "type", typ), '>')
	b = appendText(b, "title", f.Title)
	b = appendText(b, "instructions", f.Instructions)
	b = (&Field{Var: formType, Type: hidden, Values: []string{f.Type}}).appendTo(b)
	for i := range f.Fields {
		b = f.Fields[i].appendTo(b)
	}
	return append(append(b, f.Payload...), "</x>"...)
}

func (f *Field) appendTo(b []byte) []byte {
	b = scan.AppendAttribute(scan.AppendAttribute(append(b, "<field"...), "var", f.Var), "type", f.Type)
	if f.Label != "" {
		b = scan.AppendAttribute(b, "label", f.Label)
	}
	b = append(b, '>')
	if f.Required {
		b = append(b, "<required/>"...)
	}
	for _, v := range f.Values {
		b = append(scan.AppendText(append(b, "<value>"...), v), "</value>"...)
	}
	for _, o := range f.Options {
		b = append(scan.AppendAttribute(append(b, "<option"...), "label", o), "><value>"...)
		b = append(scan.AppendText(b, o), "</value></option>"...)
	}
	return append(b, "</field>"...)
}

// appendText appends an element with text, if there is any.
func appendText(b []byte, name, text string) []byte {
	if text == "" {
		return b
	}
	b = append(append(append(b, '<'), name...), '>')
	b = scan.AppendText(b, text)
	return append(append(append(b, "</"...), name...), '>')
}
