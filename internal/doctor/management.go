package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"strings"
	"time"

	"signalbox/internal/events/webhook"
	"signalbox/internal/store"
)

// management is the step management: does the management server get its events?
func (x *examination) management(ctx context.Context) {
	cfg := x.Config.Events.Webhooks
	if cfg.Host == "" {
		x.well("events.host", "no management server is set: events go to webhooks and streams alone", "set events.host, or ITSM_WEB_HOST in the environment, if there is one")
		return
	}
	if x.resolved(ctx, cfg) && x.connected(ctx, cfg) {
		x.pinged(ctx, cfg)
	}
	x.backlog(ctx)
}

// fault tells why something did not work.
func (x *examination) fault(check string, f webhook.Fault) {
	x.wrong(Code(f.Code), check, lower(f.Detail), lower(f.Action))
}

// lower makes a sentence a part of a line.
func lower(sentence string) string {
	text := strings.TrimSuffix(sentence, ".")
	if len(text) > 1 && text[1] >= 'a' && text[1] <= 'z' || strings.HasPrefix(text, "A ") {
		return strings.ToLower(text[:1]) + text[1:]
	}
	return text
}

// resolved reports whether there is an address to connect to.
func (x *examination) resolved(ctx context.Context, cfg webhook.Config) bool {
	if cfg.Address != "" {
		x.well(cfg.Host, "is connected to at "+cfg.Address+", as events.address says", "")
		return true
	}
	addrs, err := x.lookupHost(ctx, cfg.ManagementName())
	if err != nil {
		x.fault(cfg.Host, webhook.FaultOf(err, cfg.ManagementName()))
		return false
	}
	x.well(cfg.Host, "resolves to "+strings.Join(addrs, ", "), "")
	return true
}

// connected reports whether there is a connection with a certificate that we accept.
func (x *examination) connected(ctx context.Context, cfg webhook.Config) bool {
	host := cfg.ManagementName()
	roots, err := webhook.LoadRoots(cfg.CAFile)
	if err != nil {
		x.wrong(BadAuthorities, "events.ca_file", err.Error(), "name a file with certificate authorities in PEM")
		return false
	}
	d := net.Dialer{Timeout: x.patience, Resolver: x.Resolver}
	conn, err := d.DialContext(ctx, "tcp", cfg.ManagementAddr())
	if err != nil {
		x.fault(cfg.ManagementAddr(), webhook.FaultOf(err, cfg.ManagementAddr()))
		return false
	}
	defer conn.Close()
	x.well(cfg.ManagementAddr(), "can be connected to", "")
	if err := conn.SetDeadline(time.Now().Add(x.patience)); err != nil {
		x.wrong(Code(webhook.Broken), cfg.ManagementAddr(), err.Error(), "ask again")
		return false
	}
	secured := tls.Client(conn, &tls.Config{ServerName: host, RootCAs: roots, MinVersion: tls.VersionTLS12})
	if err := secured.HandshakeContext(ctx); err != nil {
		x.fault(cfg.ManagementAddr()+", TLS", webhook.FaultOf(err, host))
		return false
	}
	x.well(cfg.ManagementAddr()+", TLS", "its certificate is good for "+host+": "+describe(secured.ConnectionState()), "")
	return true
}

// pinged sends a test, signed as events are.
func (x *examination) pinged(ctx context.Context, cfg webhook.Config) {
	file := cfg.SecretFile
	if file == "" {
		file = filepath.Join(x.Config.DataDir, webhook.SecretFileName)
	}
	keys, err := webhook.LoadKeys(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && cfg.SecretFile == "":
		x.warn(NoSecret, file, "is not there yet: no test was sent", "start the server, which makes it, and give the secret in it to the management server")
		return
	case errors.Is(err, fs.ErrPermission):
		x.wrong(NoPermission, file, "permission denied", asServer)
		return
	case err != nil:
		x.wrong(BadSecret, file, err.Error(), "correct the file; the secret in it is the one that the management server verifies with")
		return
	}
	check := cfg.ManagementURL() + ", test"
	d, err := webhook.PingManagement(ctx, cfg, keys)
	switch {
	case err != nil:
		x.wrong(Code(webhook.NoAnswer), check, err.Error(), "ask again")
	case !d.OK():
		x.fault(check, d.Fault)
	default:
		x.well(check, fmt.Sprintf("a signed test was taken with status %d after %d ms", d.Status, d.Took.Milliseconds()), "")
	}
}

// backlog tells what waits.
func (x *examination) backlog(ctx context.Context) {
	path, err := store.Locate(x.Config.Store.URL, x.Config.DataDir)
	if err != nil {
		return // the step store says so
	}
	b, err := store.InspectBacklog(ctx, path, webhook.Management)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, webhook.ErrUnknown):
		x.well("backlog", "nothing was sent yet", "")
	case err != nil:
		x.warn(NotChecked, "backlog", "is not known: "+err.Error(), "see the step store")
	case b.Failures > 0:
		x.warn(EventBacklog, "backlog", fmt.Sprintf("up to %d events wait since %s; the next attempt is at %s", b.Pending, b.Since.Format(time.RFC3339), b.Next.Format(time.RFC3339)),
			"mend what is wrong above; \"signalbox webhook test management\" ends the wait")
	default:
		x.well("backlog", fmt.Sprintf("up to %d events wait; the last was taken %s", b.Pending, lastTaken(b.LastSuccess)), "")
	}
}

func lastTaken(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return "at " + at.UTC().Format(time.RFC3339)
}
