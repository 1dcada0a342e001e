package console

import (
	"time"

	"signalbox/internal/access/technician"
)

// meBody is who is signed in.
type meBody struct {
	Technician  technicianBody `json:"technician"`
	HasPassword bool           `json:"has_password"`
	Roles       []string       `json:"roles"`
	MayOpen     bool           `json:"may_open"` // sessions, on some endpoint
	Kinds       []string       `json:"kinds"`    // of sessions, on some endpoint
	Manages     bool           `json:"manages_sessions"`
	Expires     time.Time      `json:"expires_at"` // of the sign-in
	Idle        int            `json:"idle_seconds"`
	Server      serverBody     `json:"server"`
}

type technicianBody struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Display string `json:"display_name"`
}

type serverBody struct {
	Domain  string `json:"domain"`
	Name    string `json:"name"`
	Version string `json:"version"`
}

func (h *Handler) showMe(p technician.Principal) meBody {
	may := p.Everywhere()
	return meBody{
		Technician: technicianBody{ID: p.ID, Name: p.Name, Display: p.Shown()}, HasPassword: p.Password != "", Roles: append([]string{}, p.Roles...),
		MayOpen: len(may.Kinds) > 0, Kinds: append([]string{}, may.Kinds...), Manages: may.Manages, Expires: p.SignIn.Expires, Idle: int(h.deps.Technicians.Idle().Seconds()),
		Server: serverBody{Domain: h.deps.Domain, Name: "signalbox", Version: h.deps.Version},
	}
}

func (h *Handler) me(r *request) (answer, error) { return answer{body: h.showMe(r.who)}, nil }

func (h *Handler) signIn(r *request) (answer, error) {
	var body struct {
		Name     string `json:"name"`
		Password string `json:"password"`
	}
	if err := r.decode(&body); err != nil {
		return answer{}, err
	}
	return h.signedIn(h.deps.Technicians.SignIn(r.Context(), body.Name, body.Password, r.browser()))
}

func (h *Handler) signInByLink(r *request) (answer, error) {
	var body struct {
		Token   string `json:"token"`
		Replace bool   `json:"replace"`
	}
	if err := r.decode(&body); err != nil {
		return answer{}, err
	}
	return h.signedIn(h.deps.Technicians.SignInByLink(r.Context(), body.Token, body.Replace, r.browser()))
}

func (h *Handler) signedIn(cookie string, p technician.Principal, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	return answer{body: h.showMe(p), cookie: newCookie(cookie)}, nil
}

func (r *request) browser() technician.Browser {
	return technician.Browser{From: r.from, Cookie: cookieOf(r.Request)}
}

func (h *Handler) signOut(r *request) (answer, error) {
	if err := r.nothing(); err != nil {
		return answer{}, err
	}
	return answer{cookie: newCookie("")}, h.deps.Technicians.SignOut(r.Context(), r.who)
}

func (h *Handler) changePassword(r *request) (answer, error) {
	var body struct {
		Old string `json:"old"`
		New string `json:"new"`
	}
	if err := r.decode(&body); err != nil {
		return answer{}, err
	}
	return answer{}, h.deps.Technicians.ChangePassword(r.Context(), r.who, body.Old, body.New, r.from)
}
