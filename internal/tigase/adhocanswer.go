package tigase

import (
	"strconv"
	"strings"
)

// commandAnswer shows what came of a command, or its form.
func commandAnswer(jid, node string, out Outcome) object {
	answer := object{{"jid", jid}, {"node", node}}
	fields := []any{}
	if out.Form != nil {
		for _, f := range out.Form.Fields {
			fields = append(fields, fieldAnswer(f))
		}
	}
	answer = append(answer, member{"fields", fields})
	if out.Form != nil && out.Form.Title != "" {
		answer = append(answer, member{"title", out.Form.Title})
	}
	if out.Form != nil && out.Form.Instructions != "" {
		answer = append(answer, member{"instructions", out.Form.Instructions})
	}
	if out.Note != "" {
		kind := "info"
		if out.Failed {
			kind = "error"
		}
		answer = append(answer, member{"note", object{{"value", out.Note}, {"type", kind}}})
	}
	return object{{"command", answer}}
}

func fieldAnswer(f Field) object {
	if f.Type == "jid-multi" && strings.HasSuffix(f.Var, "userjids") { // a list of users, which a Tigase names by their number
		f = Field{Var: "Users: " + strconv.Itoa(len(f.Values)), Label: "text-multi", Type: "text-multi", Values: f.Values}
	}
	answer := object{{"var", f.Var}}
	if f.Label != "" {
		answer = append(answer, member{"label", f.Label})
	}
	if f.Type != "" {
		answer = append(answer, member{"type", f.Type})
	}
	switch len(f.Values) {
	case 0:
	case 1:
		answer = append(answer, member{"value", f.Values[0]})
	default:
		answer = append(answer, member{"value", texts(f.Values)})
	}
	if len(f.Options) > 0 {
		var options []any
		for _, o := range f.Options {
			options = append(options, object{{"value", o}, {"label", o}})
		}
		answer = append(answer, member{"options", options})
	}
	return answer
}

// notes is the outcome of a command for several accounts: what was done and what was not.
func notes(done, failed []string) Outcome {
	out := Outcome{Form: &Form{}, Failed: len(failed) > 0, Note: strings.Join(failed, "\n")}
	if len(done) > 0 {
		out.Form.Fields = append(out.Form.Fields, Field{Var: "Notes", Type: "text-multi", Values: done})
	}
	if len(failed) > 0 {
		out.Form.Fields = append(out.Form.Fields, Field{Var: "Errors", Type: "text-multi", Values: failed})
	}
	return out
}

// settled gives an outcome that shows nothing the field by which a Tigase says how it went.
func settled(out Outcome) Outcome {
	switch {
	case out.Form != nil:
	case out.Failed:
		return failedOutcome(out.Note)
	default:
		text := out.Note
		if text == "" {
			text = "Operation successful"
		}
		out.Form = &Form{Fields: []Field{{Var: "Note", Type: "fixed", Values: []string{text}}}}
	}
	return out
}

func failedOutcome(why string) Outcome {
	return Outcome{Failed: true, Note: why, Form: &Form{Fields: []Field{{Var: "Error", Type: "fixed", Values: []string{why}}}}}
}
