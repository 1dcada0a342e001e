package pubsub

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"mellium.im/xmpp/stanza"

	"signalbox/internal/account"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

// The FORM_TYPEs.
const (
	nodeConfig     = nsPubSub + "#node_config"
	publishOptions = nsPubSub + "#publish-options"
)

var (
	errForm       = errors.New("not a form of this kind")
	errAccess     = errors.New("an access model that is not offered")
	errNotOffered = errors.New("a value that is not offered")
)

// formMistake is the answer for what readForm refuses.
func formMistake(err error, formType string) feature.Answer {
	switch {
	case errors.Is(err, errForm):
		return refuse(stanza.Modify, stanza.BadRequest, "invalid-options")
	case formType == publishOptions:
		return refuse(stanza.Cancel, stanza.Conflict, "precondition-not-met")
	case errors.Is(err, errAccess):
		return refuse(stanza.Modify, stanza.NotAcceptable, "unsupported-access-model")
	}
	return feature.Refuse(stanza.Modify, stanza.NotAcceptable)
}

// fields are what can be chosen, each with what reads its values.
var fields = map[string]func(*account.Options, []string) bool{
	"access_model": func(o *account.Options, v []string) bool { return one(v, account.ParseAccess, &o.Access) },
	"max_items":    func(o *account.Options, v []string) bool { return one(v, parseMaxItems, &o.MaxItems) },
	"persist_items": func(o *account.Options, v []string) bool {
		return one(v, func(text string) (bool, bool) { persist, ok := parseBool(text); return !persist, ok }, &o.Transient)
	},
	"send_last_published_item": func(o *account.Options, v []string) bool { return one(v, account.ParseSendLast, &o.SendLast) },
	"title": func(o *account.Options, v []string) bool {
		return one(v, func(text string) (string, bool) { return text, true }, &o.Title)
	},
	"roster_groups_allowed": func(o *account.Options, v []string) bool { o.Groups = &v; return true },
}

// fixed are what cannot be chosen: asking for just this is all right.
var fixed = map[string]string{
	"publish_model": "publishers", "node_type": "leaf", "deliver_notifications": "1", "deliver_payloads": "1", "notify_config": "0", "notify_delete": "1",
	"notify_retract": "1", "notify_sub": "0", "purge_offline": "0", "subscribe": "1", "presence_based_delivery": "0",
}

// one reads a field with one value. An empty field names nothing.
func one[T any](values []string, parse func(string) (T, bool), to **T) bool {
	if len(values) == 0 {
		return true
	}
	value, ok := parse(values[0])
	*to = &value
	return ok && len(values) == 1
}

func parseBool(text string) (value, ok bool) {
	return text == "1" || text == "true", slices.Contains([]string{"0", "1", "false", "true"}, text)
}

// parseMaxItems reads a number or "max", which is more than anybody may keep.
func parseMaxItems(text string) (int, bool) {
	if text == "max" {
		return 1 << 30, true
	}
	n, err := strconv.Atoi(text)
	return min(n, 1<<30), err == nil && n > 0 || errors.Is(err, strconv.ErrRange) && text[0] != '-'
}

// readForm reads what a submitted form names. Without a form it names nothing. A configuration may name what is unknown here; a condition of a publication must not,
// for it could not be met (XEP-0060 section 7.1.5).
func readForm(x scan.Element, formType string) (o account.Options, err error) {
	if !x.Exists() {
		return o, nil
	}
	if attribute(x, "type") != "submit" {
		return o, errForm
	}
	for f := range x.Children() {
		if !f.Is(nsData, "field") {
			continue
		}
		var values []string
		for v := range f.Children() {
			if v.Is(nsData, "value") {
				values = append(values, v.Text())
			}
		}
		if err := readField(&o, attribute(f, "var"), values, formType); err != nil {
			return o, err
		}
	}
	return o, nil
}

func readField(o *account.Options, name string, values []string, formType string) error {
	if name == "FORM_TYPE" {
		if len(values) != 1 || values[0] != formType {
			return errForm
		}
		return nil
	}
	short := strings.TrimPrefix(name, "pubsub#")
	read, free := fields[short]
	want, set := fixed[short]
	switch {
	case free && !read(o, values):
		if short == "access_model" {
			return errAccess
		}
		return errNotOffered
	case set && !(len(values) == 1 && same(values[0], want)):
		return errNotOffered
	case !free && !set && formType == publishOptions:
		return errNotOffered
	}
	return nil
}

// same compares a value with what it has to be; there are two ways to write a truth.
func same(text, want string) bool {
	got, isBool := parseBool(text)
	wanted, wantsBool := parseBool(want)
	return text == want || isBool && wantsBool && got == wanted
}

// appendForm appends a configuration to be filled in.
func appendForm(b []byte, c *account.NodeConfig) []byte {
	b = append(b, "<x xmlns='"+nsData+"' type='form'><field var='FORM_TYPE' type='hidden'><value>"+nodeConfig+"</value></field>"...)
	b = appendField(b, "title", "text-single", []string{c.Title})
	b = appendField(b, "access_model", "list-single", []string{c.Access.String()}, "presence", "open", "roster", "whitelist")
	b = appendField(b, "roster_groups_allowed", "list-multi", c.Groups, c.Groups...)
	b = appendField(b, "max_items", "text-single", []string{strconv.Itoa(c.MaxItems)})
	b = appendField(b, "persist_items", "boolean", []string{map[bool]string{false: "1", true: "0"}[c.Transient]})
	b = appendField(b, "send_last_published_item", "list-single", []string{c.SendLast.String()}, "on_sub_and_presence", "on_sub", "never")
	b = appendField(b, "publish_model", "list-single", []string{"publishers"}, "publishers")
	for _, name := range []string{"deliver_notifications", "deliver_payloads", "notify_delete", "notify_retract"} {
		b = appendField(b, name, "boolean", []string{fixed[name]})
	}
	return append(b, "</x>"...)
}

func appendField(b []byte, name, typ string, values []string, options ...string) []byte {
	b = append(scan.AppendAttribute(scan.AppendAttribute(append(b, "<field"...), "var", "pubsub#"+name), "type", typ), '>')
	for _, v := range values {
		b = append(scan.AppendText(append(b, "<value>"...), v), "</value>"...)
	}
	for _, o := range options {
		b = append(scan.AppendText(append(b, "<option><value>"...), o), "</value></option>"...)
	}
	return append(b, "</field>"...)
}
