package console

import (
	"net/http"
	"strings"
)

// policy lets pages load and reach nothing but the host and port that they come from, WebSockets of signalling and relay among that; nobody frames them, and they send no forms.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; frame-ancestors 'none'; form-action 'none'; base-uri 'none'"

// secure sets what browsers are told with every answer.
func secure(header http.Header) {
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), usb=(), payment=(), clipboard-read=(self), clipboard-write=(self)")
	header.Set("Cache-Control", "no-store")
}

// guardHeader comes with every request that changes something: a page of another origin cannot set it without our leave, which it does not get.
const guardHeader = "X-Signalbox-Console"

// foreign reports whether a browser says that another origin's page has sent the request.
func (h *Handler) foreign(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return true
	}
	origins := r.Header.Values("Origin")
	return len(origins) > 0 && (len(origins) > 1 || !h.ours(r, origins[0]))
}

// ours reports whether an origin is that of the console: where the request was sent to, or as configured.
func (h *Handler) ours(r *http.Request, origin string) bool {
	return strings.EqualFold(origin, "https://"+r.Host) || strings.EqualFold(origin, h.deps.Base())
}

// checkGuard refuses requests that another origin's page may have sent. Those that only read need no header: what they answer is not shown to such a page.
func (h *Handler) checkGuard(r *http.Request) *problem {
	switch {
	case h.foreign(r):
		return forbiddenOrigin.because("")
	case r.Method != http.MethodGet && r.Method != http.MethodHead && r.Header.Get(guardHeader) != "1":
		return forbiddenOrigin.because("The header " + guardHeader + " is missing.")
	}
	return nil
}

// cookieName begins with a prefix by which browsers take it from us alone, over TLS, for the whole host (RFC 6265bis section 4.1.3.2).
const cookieName = "__Host-signalbox"

// newCookie carries a sign-in until the browser is closed; an empty value removes it.
func newCookie(value string) *http.Cookie {
	c := &http.Cookie{Name: cookieName, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

// cookieOf returns what the browser's cookie holds; empty where there is none, or more than one.
func cookieOf(r *http.Request) string {
	if all := r.CookiesNamed(cookieName); len(all) == 1 {
		return all[0].Value
	}
	return ""
}
