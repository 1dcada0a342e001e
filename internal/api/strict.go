package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"unicode/utf8"
)

// decodeStrict reads one JSON document into v, a pointer to a struct of strings, bools, ints, slices, maps, pointers to those and json.RawMessages, which
// keep their exact text. Where encoding/json is lenient it refuses: see checker. It is nil if all is well.
func decodeStrict(data []byte, v any) *Problem {
	if !utf8.Valid(data) {
		return malformedJSON.problem("The body is not UTF-8.")
	}
	if !json.Valid(data) {
		return malformedJSON.problem(syntaxDetail(data))
	}
	c := checker{data: data}
	switch err := c.value(reflect.TypeOf(v).Elem(), 0); {
	case err != nil && !errors.Is(err, errEnough):
		return malformedJSON.problem("The body is refused: " + err.Error() + ".")
	case len(c.errs) > 0:
		return validationFailed.problem("", c.errs[:min(len(c.errs), maxFieldErrors)]...)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return malformedJSON.problem("")
	}
	return nil
}

// syntaxDetail says where the text stops being JSON. The parser's own words would quote the text.
func syntaxDetail(data []byte) string {
	var whole json.RawMessage
	var syntax *json.SyntaxError
	if errors.As(json.Unmarshal(data, &whole), &syntax) {
		return fmt.Sprintf("The body is not one JSON document: see byte %d.", syntax.Offset)
	}
	return malformedJSON.advice
}
