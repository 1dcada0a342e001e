package api

import (
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"signalbox/internal/events"
)

// webhookMessage is what a webhook gets, Standard Webhooks, "Payload structure".
type webhookMessage struct {
	_         struct{}        `additionalProperties:"true"`
	Type      events.Type     `json:"type" example:"push.failed" doc:"As GET /v1/events names it; or presence.snapshot: presences that the receiver knows may be too old, webhook.test: somebody asked for it."`
	Timestamp time.Time       `json:"timestamp" doc:"When it happened."`
	Data      json.RawMessage `json:"data" doc:"An object: the data of the event, and beside it seq, its number, and endpoint, what it happened to. Of presence.snapshot: seq, path (what to read), reason. Of webhook.test: webhook."`
}

// documentMessages says what the server posts to webhooks: the part of the document that is about the receivers of others.
func (s *Server) documentMessages() {
	field := func(name, doc string) *huma.Param {
		return &huma.Param{Name: name, In: "header", Required: true, Description: doc, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	s.api.OpenAPI().Webhooks = map[string]*huma.PathItem{"event": {Post: &huma.Operation{
		OperationID: "event", Tags: []string{"webhooks"}, Summary: "What a webhook gets",
		Description: "The message that is signed is webhook-id, webhook-timestamp and the body as it came, joined by dots.",
		Parameters: []*huma.Param{
			field("webhook-id", "The id of the event; the same when it comes again."),
			field("webhook-timestamp", "When this attempt was made, in seconds since 1970."),
			field("webhook-signature", "One or more, separated by spaces: v1 and the base64 of an HMAC-SHA256, or v1a and that of an Ed25519 signature, behind a comma each."),
		},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: s.schema(webhookMessage{}, "WebhookMessage")}}},
		Responses: map[string]*huma.Response{
			"2XX": {Description: "It was taken."}, "410": {Description: "Nothing more is sent."}, "default": {Description: "It comes again later."},
		},
	}}}
}
