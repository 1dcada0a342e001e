package tigase

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"

	"signalbox/xmpp/scan"
)

// Bounds of a body.
const (
	maxBodyBytes = 128 << 10
	maxDepth     = 32
	maxNames     = 32 // attributes of an element, and namespaces in scope
)

func limits() scan.Limits {
	return scan.Limits{Bytes: maxBodyBytes, Depth: maxDepth, Attributes: maxNames, Namespaces: maxNames}
}

// readBody reads the whole body of a request that may have one.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.Method != http.MethodPost && r.Method != http.MethodPut {
		return nil, nil
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return nil, &failure{status: http.StatusUnsupportedMediaType, text: "Send the body as it is, without Content-Encoding."}
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &failure{status: http.StatusRequestTimeout, text: "The body came too slowly."}
	case err != nil:
		return nil, badRequest("The body ended early: send all of it.")
	}
	return data, nil
}

func tooLarge() *failure {
	return &failure{status: http.StatusRequestEntityTooLarge, text: fmt.Sprintf("A body has at most %d bytes, a message 65536.", maxBodyBytes)}
}

// format is how things are written.
type format uint8

const (
	formatXML format = iota
	formatJSON
)

// formatOf returns how the answer is written: as the body of the request is, else as the parameter type or the header Accept wants, else as XML.
func formatOf(r *http.Request) format {
	for _, text := range []string{r.Header.Get("Content-Type"), r.URL.Query().Get("type"), r.Header.Get("Accept")} {
		json, xml := strings.Contains(text, "/json"), strings.Contains(text, "/xml")
		switch {
		case json && !xml:
			return formatJSON
		case xml:
			return formatXML
		}
	}
	return formatXML
}

// decode reads a body into strings, lists and maps of them, by its Content-Type, and returns what stands under name: the root element of XML, a member of a JSON
// object; in JSON the object itself where it has no such member.
func (x *exchange) decode(name string) (map[string]any, error) {
	media, _, err := mime.ParseMediaType(x.Header.Get("Content-Type"))
	if err != nil {
		media = "application/xml"
	}
	switch media {
	case "application/json", "text/json":
		return decodeJSON(x.body, name)
	case "application/xml", "text/xml":
		return decodeXML(x.body, name)
	}
	return nil, &failure{status: http.StatusUnsupportedMediaType, text: "Send application/xml or application/json."}
}

func decodeJSON(body []byte, name string) (map[string]any, error) {
	var root map[string]any
	if err := json.Unmarshal(body, &root); err != nil {
		return nil, badRequest("The body is not one JSON object.")
	}
	if inner, ok := root[name]; ok {
		if root, ok = inner.(map[string]any); !ok {
			return nil, badRequest("The member " + name + " is not a JSON object.")
		}
	}
	return root, nil
}

func decodeXML(body []byte, name string) (map[string]any, error) {
	el, err := readElement(body)
	if err != nil {
		return nil, err
	}
	if string(el.Local()) != name {
		return nil, badRequest("The element " + name + " is wanted.")
	}
	members, _ := valueOf(el.Element()).(map[string]any)
	return members, nil
}

// readElement reads one element, with nothing around it but white space and an XML declaration.
func readElement(body []byte) (scan.Stanza, error) {
	text := strings.TrimSpace(string(body))
	if strings.HasPrefix(text, "<?xml ") {
		head, rest, ok := strings.Cut(text, "?>")
		if !ok || declaresOther(head) {
			return scan.Stanza{}, badRequest("The XML declaration is refused: send UTF-8.")
		}
		text = strings.TrimSpace(rest)
	}
	if text == "" {
		return scan.Stanza{}, badRequest("The body has no XML element.")
	}
	el, err := scan.ParseInStream([]byte(text), limits())
	if err != nil {
		return scan.Stanza{}, badRequest("The body is refused: " + err.Error() + ".")
	}
	return el, nil
}

// declaresOther reports whether an XML declaration names another encoding than UTF-8.
func declaresOther(head string) bool {
	_, rest, named := strings.Cut(head, "encoding")
	value := strings.FieldsFunc(strings.TrimLeft(rest, " \t\r\n="), func(r rune) bool { return r == '\'' || r == '"' })
	return named && (len(value) == 0 || !strings.EqualFold(value[0], "utf-8"))
}

// valueOf is an element as a value: children that are all called item make a list, other children a map, in which those of one name make a list, and
// without any it is the text.
func valueOf(el scan.Element) any {
	var list []any
	members := map[string]any{}
	for c := range el.Children() {
		v := valueOf(c)
		list = append(list, v)
		name := string(c.Local())
		if before, twice := members[name]; twice {
			v = append(asList(before), v)
		}
		members[name] = v
	}
	_, item := members["item"]
	switch {
	case list == nil:
		return el.Text()
	case item && len(members) == 1:
		return list
	}
	return members
}

func asList(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

// textOf returns a value as text; false: it is none.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case float64, bool:
		return fmt.Sprint(v), true
	}
	return "", false
}

// textsOf returns a value as texts, whether it is one or a list; an empty text or list, null, and what is not there are none.
func textsOf(v any) ([]string, bool) {
	switch v := v.(type) {
	case nil:
		return nil, true
	case []any:
		var texts []string
		for _, one := range v {
			text, ok := textOf(one)
			if !ok {
				return nil, false
			}
			texts = append(texts, text)
		}
		return texts, true
	}
	text, ok := textOf(v)
	if text == "" {
		return nil, ok
	}
	return []string{text}, ok
}
