package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"signalbox/internal/access"
	"signalbox/internal/events/webhook"
)

type webhookPath struct {
	ID string `path:"id" maxLength:"64" doc:"Id of the webhook; management is the management server of the configuration." example:"management"`
}

func (s *Server) registerWebhooks() {
	register(s, route{
		id: "create-webhook", method: http.MethodPost, path: "/v1/webhooks", tag: "webhooks", summary: "Have events posted to a URL",
		doc: "The receiver gets what happens from now on, each event as one POST as Standard Webhooks says: a JSON body with type, timestamp and data, and the headers webhook-id, webhook-timestamp " +
			"and webhook-signature. It answers 2xx within the limit of the configuration; everything else is tried again for days. Events come at least once, those of one endpoint in their order. " +
			"The secret is in this answer alone.",
		scope: access.ScopeAdmin, status: http.StatusCreated, problems: []kind{tooManyWebhooks, insufficientStorage},
		example: map[string]any{"url": "https://itsm.example.com/hooks/signalbox", "types": []string{"endpoint.*", "push.failed", "push.expired"}},
	}, s.createWebhook)
	register(s, route{
		id: "list-webhooks", method: http.MethodGet, path: "/v1/webhooks", tag: "webhooks", summary: "List webhooks, and how they are doing",
		scope: access.ScopeAdmin, status: http.StatusOK,
	}, s.listWebhooks)
	register(s, route{
		id: "get-webhook", method: http.MethodGet, path: "/v1/webhooks/{id}", tag: "webhooks", summary: "Show a webhook, and how it is doing",
		scope: access.ScopeAdmin, status: http.StatusOK, problems: []kind{unknownWebhook},
	}, s.getWebhook)
	register(s, route{
		id: "change-webhook", method: http.MethodPatch, path: "/v1/webhooks/{id}", tag: "webhooks", summary: "Change a webhook, or its secret",
		doc: "A field that is given replaces the whole old value; one that is absent stays. With new_secret the server makes a further secret and shows it in this answer alone; the ones before " +
			"sign as well until old_secrets_for is over, so that no event is refused meanwhile. A webhook that is enabled again gets a snapshot and what is kept of the events since.",
		scope: access.ScopeAdmin, status: http.StatusOK, problems: []kind{unknownWebhook, webhookConfigured, insufficientStorage},
		example: map[string]any{"new_secret": "hmac", "old_secrets_for": 86400},
	}, s.changeWebhook)
	register(s, route{
		id: "delete-webhook", method: http.MethodDelete, path: "/v1/webhooks/{id}", tag: "webhooks", summary: "Delete a webhook with its log",
		scope: access.ScopeAdmin, status: http.StatusNoContent, problems: []kind{unknownWebhook, webhookConfigured, insufficientStorage},
	}, s.deleteWebhook)
	s.registerWebhookActions()
}

type createdWebhook struct {
	Location string `header:"Location"`
	Body     webhookBody
}

func (s *Server) createWebhook(ctx context.Context, c call[noParams, webhookCreate]) (*createdWebhook, error) {
	scheme, p := parseScheme("/signature", c.Body.Signature)
	if p != nil {
		return nil, p
	}
	w, err := s.deps.Webhooks.Create(ctx, webhook.Draft{
		URL: c.Body.URL, Description: c.Body.Description, Types: c.Body.Types, Scheme: scheme, Insecure: c.Body.InsecureHTTP,
		Disabled: c.Body.Enabled != nil && !*c.Body.Enabled,
	})
	if err != nil {
		return nil, webhookMistake(err)
	}
	body := showWebhook(webhook.Info{Webhook: w})
	body.addSecret(w.Keys[0])
	return &createdWebhook{Location: "/v1/webhooks/" + w.ID, Body: body}, nil
}

// parseScheme reads how events are signed; empty stays empty.
func parseScheme(pointer, text string) (webhook.Scheme, *Problem) {
	switch scheme := webhook.Scheme(text); scheme {
	case "", webhook.HMAC, webhook.Ed25519:
		return scheme, nil
	}
	return "", validationFailed.at(pointer, "it is hmac or ed25519")
}

// webhookMistake points at the field that the service refused.
func webhookMistake(err error) error {
	var field *webhook.FieldError
	if errors.As(err, &field) {
		return validationFailed.at("/"+field.Field, field.Detail)
	}
	return err
}

type webhookList struct{ Body list[webhookBody] }

func (s *Server) listWebhooks(ctx context.Context, _ call[noParams, none]) (*webhookList, error) {
	all, err := s.deps.Webhooks.List(ctx)
	if err != nil {
		return nil, err
	}
	out := &webhookList{Body: list[webhookBody]{Items: []webhookBody{}}}
	for _, in := range all {
		out.Body.Items = append(out.Body.Items, showWebhook(in))
	}
	return out, nil
}

type oneWebhook struct{ Body webhookBody }

func (s *Server) getWebhook(ctx context.Context, c call[webhookPath, none]) (*oneWebhook, error) {
	in, err := s.deps.Webhooks.Webhook(ctx, c.Params.ID)
	if err != nil {
		return nil, err
	}
	return &oneWebhook{Body: showWebhook(in)}, nil
}

// keepSecrets is how long old secrets sign beside a new one, unless the request says otherwise.
const keepSecrets = 24 * time.Hour

func (s *Server) changeWebhook(ctx context.Context, c call[webhookPath, webhookChange]) (*oneWebhook, error) {
	scheme, p := parseScheme("/new_secret", c.Body.NewSecret)
	keep := keepSecrets
	if k := c.Body.OldSecretsFor; k != nil {
		if *k < 0 || *k > maxKeepSeconds {
			p = validationFailed.at("/old_secrets_for", "it is 0 to 2592000 seconds")
		}
		keep = time.Duration(*k) * time.Second
	}
	if p != nil {
		return nil, p
	}
	in, made, err := s.deps.Webhooks.Update(ctx, c.Params.ID, webhook.Change{
		URL: c.Body.URL, Description: c.Body.Description, Types: c.Body.Types, Enabled: c.Body.Enabled, Insecure: c.Body.InsecureHTTP, NewKey: scheme, KeepKeys: keep,
	})
	if err != nil {
		return nil, webhookMistake(err)
	}
	body := showWebhook(in)
	if made != nil {
		body.addSecret(*made)
	}
	return &oneWebhook{Body: body}, nil
}

func (s *Server) deleteWebhook(ctx context.Context, c call[webhookPath, none]) (*nothing, error) {
	return nil, s.deps.Webhooks.Delete(ctx, c.Params.ID)
}
