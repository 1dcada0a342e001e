package api

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"signalbox/internal/push"
)

// list is one page of things.
type list[T any] struct {
	_     struct{} `additionalProperties:"true"`
	Items []T      `json:"items" nullable:"false" doc:"The things of this page."`
	Next  string   `json:"next,omitempty" doc:"Cursor of the next page; absent on the last one."`
}

// Paging is what every list takes.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"How many things a page has at most."`
	Cursor string `query:"cursor" maxLength:"600" doc:"The next of the page before."`
}

// page cuts items, of which one more than the limit was asked for, and makes the cursor of the next page from the last that is shown.
func page[T any](items []T, limit int, id func(T) string) list[T] {
	if len(items) <= limit {
		return list[T]{Items: append([]T{}, items...)}
	}
	items = items[:limit]
	return list[T]{Items: items, Next: cursorPrefix + base64.RawURLEncoding.EncodeToString([]byte(id(items[limit-1])))}
}

// cursorPrefix tells our cursors from what somebody wrote by hand; it changes with what is inside.
const cursorPrefix = "c1"

// after returns the id behind which a page begins; empty for the first page.
func (p Paging) after() (string, *Problem) {
	if p.Cursor == "" {
		return "", nil
	}
	text, ok := strings.CutPrefix(p.Cursor, cursorPrefix)
	id, err := base64.RawURLEncoding.DecodeString(text)
	if !ok || err != nil || len(id) == 0 {
		return "", badCursor()
	}
	return string(id), nil
}

func badCursor() *Problem {
	return validationFailed.problem("", FieldError{Parameter: "cursor", Detail: "it is not the next of an earlier page; leave it out to begin at the start"})
}

// rawTarget is the field to of a push: a string, a list of strings, or an object for groups and labels.
type rawTarget struct{ json.RawMessage }

// Schema documents what is taken.
func (rawTarget) Schema(r huma.Registry) *huma.Schema {
	least, most := 1, push.MaxTargets
	return &huma.Schema{
		OneOf: []*huma.Schema{
			{Type: huma.TypeString, Description: "Id of the endpoint."},
			{Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString}, MinItems: &least, MaxItems: &most, UniqueItems: true, Description: "Ids of endpoints."},
			r.Schema(reflect.TypeFor[pushSelector](), true, ""),
		},
		Description: "Who gets it.", Examples: []any{"pc-1", []string{"pc-1", "pc-2"}, map[string]string{"group": "lab"}},
	}
}

// either is one of two shapes that differ in the names that they must have.
type either[A, B any] struct {
	a *A
	b *B // where a is nil
}

// MarshalJSON writes the one that there is.
func (e either[A, B]) MarshalJSON() ([]byte, error) {
	if e.a != nil {
		return json.Marshal(e.a)
	}
	return json.Marshal(e.b)
}

// Schema names both.
func (either[A, B]) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{r.Schema(reflect.TypeFor[A](), true, ""), r.Schema(reflect.TypeFor[B](), true, "")}}
}

// utc is a time as the API shows it.
func utc(t time.Time) time.Time { return t.UTC() }

// typeName makes the names of the OpenAPI document: pushBody is Push there, and a list of them PushList.
func typeName(t reflect.Type, hint string) string {
	name := strings.ReplaceAll(huma.DefaultSchemaNamer(t, hint), "Body", "")
	if rest, ok := strings.CutPrefix(name, "List"); ok && rest != "" {
		return rest + "List"
	}
	return name
}
