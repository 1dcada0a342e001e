package tigase

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"signalbox/internal/endpoint"
)

// emailLabel is the label in which the email of a user is kept.
const emailLabel = "email"

// userAnswer shows a user as a Tigase does, but for the number that it has in its database.
func (h *Handler) userAnswer(k endpoint.Key, enabled bool) object {
	status := "active"
	if !enabled {
		status = "disabled"
	}
	return object{{"user", object{
		{"jid", k.JID()}, {"domain", k.Domain}, {"isAdmin", slices.Contains(h.deps.Admins, k.ID)}, {"accountStatus", status},
	}}}
}

func (h *Handler) showUser(ctx context.Context, x *exchange) (object, error) {
	k, err := h.user(x.PathValue("jid"))
	if err != nil {
		return nil, err
	}
	r, err := h.deps.Endpoints.Endpoint(ctx, k)
	if err != nil {
		return nil, err
	}
	return h.userAnswer(k, r.Enabled), nil
}

// account is what a request says of a user. Fields that are not there are empty.
type account struct{ password, email string }

func (h *Handler) readAccount(x *exchange, k endpoint.Key) (a account, err error) {
	body, err := x.decode("user")
	if err != nil {
		return account{}, err
	}
	for name, into := range map[string]*string{"password": &a.password, "email": &a.email} {
		v, given := body[name]
		text, ok := textOf(v)
		if given && v != nil && !ok {
			return account{}, badRequest("The field " + name + " is not a text.")
		}
		*into = text
	}
	if v, given := body["isAdmin"]; given {
		if text, _ := textOf(v); strings.EqualFold(text, "true") != slices.Contains(h.deps.Admins, k.ID) {
			return account{}, badRequest("Who is an administrator is decided by xmpp.admins in the configuration: leave isAdmin out.")
		}
	}
	return a, nil
}

func (h *Handler) createUser(ctx context.Context, x *exchange) (object, error) {
	k, err := h.user(x.PathValue("jid"))
	if err != nil {
		return nil, err
	}
	a, err := h.readAccount(x, k)
	if err != nil {
		return nil, err
	}
	if a.password == "" { // the directory would make one that nobody gets to know
		return nil, badRequest("A new user needs a password.")
	}
	e := endpoint.Endpoint{Key: k, Enabled: true}
	if a.email != "" {
		e.Labels = map[string]string{emailLabel: a.email}
	}
	if _, _, err := h.deps.Endpoints.Create(ctx, e, a.password); err != nil {
		return nil, err
	}
	return h.userAnswer(k, true), nil
}

// changeUser changes what the request says: the password, which ends the sessions, and the email.
func (h *Handler) changeUser(ctx context.Context, x *exchange) (object, error) {
	k, err := h.user(x.PathValue("jid"))
	if err != nil {
		return nil, err
	}
	a, err := h.readAccount(x, k)
	if err != nil {
		return nil, err
	}
	r, err := h.deps.Endpoints.Endpoint(ctx, k)
	if err != nil {
		return nil, err
	}
	if a.password != "" {
		if _, err := h.deps.Endpoints.ResetSecret(ctx, k, a.password); err != nil {
			return nil, err
		}
	}
	if a.email != "" && r.Labels[emailLabel] != a.email {
		labels := maps.Clone(r.Labels)
		labels[emailLabel] = a.email
		if _, err := h.deps.Endpoints.Update(ctx, k, endpoint.Patch{Labels: labels}); err != nil {
			return nil, err
		}
	}
	return h.userAnswer(k, r.Enabled), nil
}

func (h *Handler) deleteUser(ctx context.Context, x *exchange) (object, error) {
	k, err := h.user(x.PathValue("jid"))
	if err != nil {
		return nil, err
	}
	r, err := h.deps.Endpoints.Endpoint(ctx, k)
	if err != nil {
		return nil, err
	}
	if err := h.deps.Endpoints.Delete(ctx, k); err != nil {
		return nil, err
	}
	return h.userAnswer(k, r.Enabled), nil
}

// setStatus says that nothing was set: a presence that nobody has is not claimed here.
func (h *Handler) setStatus(ctx context.Context, x *exchange) (object, error) {
	k, err := h.user(x.PathValue("jid"))
	if err != nil {
		return nil, err
	}
	wanted, err := x.decode("command")
	if err != nil {
		return nil, err
	}
	if _, err := h.deps.Endpoints.Endpoint(ctx, k); err != nil {
		return nil, err
	}
	resource := x.PathValue("resource")
	if resource == "" {
		resource = "tigase-external"
	}
	field := func(name, standard string) any {
		if text, ok := textOf(wanted[name]); ok && text != "" {
			return text
		}
		if standard == "" {
			return nil
		}
		return standard
	}
	return object{{"status", object{
		{"user", k.JID() + "/" + resource}, {"available", field("available", "true")}, {"priority", field("priority", "-1")},
		{"show", field("show", "")}, {"status", field("status", "")}, {"success", false},
	}}}, nil
}

// pageOfUsers is how many users are read at once.
const pageOfUsers = 1000

func (h *Handler) listUsers(ctx context.Context, x *exchange) (object, error) {
	domain := x.PathValue("domain")
	if domain != "" && !strings.EqualFold(domain, h.deps.Domain) {
		return nil, notFound("The domain is not served here.")
	}
	select {
	case h.lists <- struct{}{}:
		defer func() { <-h.lists }()
	default:
		return nil, &failure{http.StatusServiceUnavailable, "Other lists are being made; nothing was done.", retryBusy}
	}
	var jids []any
	for after := ""; ; {
		page, err := h.deps.Endpoints.Endpoints(ctx, endpoint.Query{Domain: h.deps.Domain, After: after, Limit: pageOfUsers})
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			jids = append(jids, r.JID())
		}
		if len(page) < pageOfUsers {
			break
		}
		after = page[len(page)-1].ID
	}
	answer := object{{"items", jids}, {"count", len(jids)}}
	if domain != "" {
		answer = append(answer, member{"domain", h.deps.Domain})
	}
	return object{{"users", answer}}, nil
}
