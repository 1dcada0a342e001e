package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox/certs"
)

// soon is how long before its end a certificate is worth a warning.
const soon = 30 * 24 * time.Hour

// certificates is the step tls: are the bundles good, and does a running server show them so that a client accepts them?
func (x *examination) certificates(ctx context.Context) {
	if !x.hasDomain() {
		return
	}
	if err := x.survey(); err != nil {
		x.warn(NotChecked, "bundles", "not checked: the configuration names no place for them", "correct certs.dir, and ask again")
	}
	for _, f := range x.report.Files {
		x.bundle(f)
	}
	if x.Outside == nil {
		x.identity()
	}
	x.visitStreams(func(p port) *trouble { return x.handshakes(ctx, p) })
}

// survey reads the bundles, once; from outside there are none. It fails where the configuration does not say where they are.
func (x *examination) survey() (err error) {
	if x.report.Files != nil || x.Outside != nil {
		return nil
	}
	x.report, x.bundles, err = certs.Survey(x.Config.Certs, certs.RequiredFor(x.Config.BaseDomain, x.Config.Domain), x.now)
	return err
}

// bundle tells what is wrong with one file, and its flaws.
func (x *examination) bundle(f certs.FileReport) {
	for _, e := range f.Problems {
		x.wrong(Code(e.Code), f.Path, fmt.Sprintf("%s (%s)", e.Detail, e.Code), e.Fix)
	}
	for _, e := range f.Warnings {
		x.warn(Code(e.Code), f.Path, fmt.Sprintf("%s (%s)", e.Detail, e.Code), e.Fix)
	}
	until := f.NotAfter.UTC().Format(time.DateOnly)
	switch {
	case len(f.Problems) > 0:
	case f.NotAfter.Sub(x.now) < soon:
		x.warn(ExpiresSoon, f.Path, fmt.Sprintf("expires on %s, in %d days", until, int(f.NotAfter.Sub(x.now).Hours())/24),
			"have it renewed and installed in time; it is taken over without a restart")
	case len(f.Warnings) > 0:
		x.well(f.Path, "covers "+someOf(f.Names)+" until "+until, "")
	default:
		x.well(f.Path, "key, chain and names are good: covers "+someOf(f.Names)+" until "+until, "")
	}
}

// someOf joins names; a certificate may have a thousand.
func someOf(names []string) string {
	const most = 8
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// handshakes makes a connection as clients of today do and one as older ones do.
func (x *examination) handshakes(ctx context.Context, p port) *trouble {
	for _, alpn := range [][]string{{alpnClient}, nil} {
		conn, t := x.secure(ctx, p, alpn)
		if t != nil && t.closed {
			return t
		}
		check := p.String() + ", " + offered(p, alpn)
		if t == nil {
			state := conn.ConnectionState()
			_ = conn.Close() // all is known
			if t = x.judge(state); t == nil && !p.startTLS && !slices.Contains(append(alpn, ""), state.NegotiatedProtocol) {
				t = foreign("answers with the protocol " + state.NegotiatedProtocol)
			}
			if t == nil {
				x.well(check, "a client accepts it: "+describe(state), "")
				continue
			}
		}
		x.wrong(t.code, check, t.detail, t.action)
	}
	return nil
}

// offered says how a connection is made.
func offered(p port, alpn []string) string {
	how := "without ALPN"
	if len(alpn) > 0 {
		how = "ALPN " + alpn[0]
	}
	if p.startTLS {
		return "STARTTLS, " + how
	}
	return how
}
