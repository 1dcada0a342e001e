package feature

import (
	"context"
	"errors"
	"strconv"

	"go.uber.org/zap"
	"mellium.im/xmpp/stanza"

	"signalbox/internal/telemetry"
	"signalbox/internal/upload"
	"signalbox/xmpp/scan"
)

const nsUpload = "urn:xmpp:http:upload:0"

// fileUpload gives out slots.
type fileUpload struct {
	slots  *upload.Service
	domain string
	log    *zap.Logger
}

// FileUpload offers XEP-0363 to the accounts of this domain.
func FileUpload(slots *upload.Service, domain string, log *zap.Logger) Feature {
	f := &fileUpload{slots, domain, log}
	return Feature{
		Vars:     []string{nsUpload},
		Forms:    []Form{{nsUpload, []Field{{"max-file-size", []string{strconv.FormatInt(slots.MaxBytes(), 10)}}}}},
		Requests: []Request{{Namespace: nsUpload, Local: "request", To: Server, Get: f.request}},
	}
}

// request answers with the addresses of a slot (section 4), or says why there is none (section 6).
func (f *fileUpload) request(_ context.Context, q *Query) Answer {
	if q.From.Key().Domain != f.domain {
		return Refuse(stanza.Auth, stanza.Forbidden) // a component has no account, and so no quota
	}
	name, _ := q.Payload.Attr("filename")
	text, _ := q.Payload.Attr("size")
	typ, _ := q.Payload.Attr("content-type")
	size, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return Refuse(stanza.Modify, stanza.BadRequest)
	}
	slot, err := f.slots.Request(q.From.Key(), upload.File{Name: string(name), Size: size, Type: string(typ)})
	switch {
	case errors.Is(err, upload.ErrTooLarge):
		a := Refuse(stanza.Modify, stanza.NotAcceptable)
		a.Detail = "<file-too-large xmlns='" + nsUpload + "'><max-file-size>" + strconv.FormatInt(f.slots.MaxBytes(), 10) + "</max-file-size></file-too-large>"
		return a
	case errors.Is(err, upload.ErrQuota), errors.Is(err, upload.ErrSlots):
		return Refuse(stanza.Wait, stanza.ResourceConstraint)
	case errors.Is(err, upload.ErrFile):
		return Refuse(stanza.Modify, stanza.BadRequest)
	case err != nil:
		f.log.Error("no slot for an upload", telemetry.Endpoint(q.From.Key().JID()), telemetry.Cause(err))
		return Refuse(stanza.Wait, stanza.InternalServerError)
	}
	b := scan.AppendEscaped([]byte("<slot xmlns='"+nsUpload+"'><put url='"), slot)
	b = scan.AppendEscaped(append(b, "'/><get url='"...), slot)
	return Answer{Payload: append(b, "'/></slot>"...)}
}
