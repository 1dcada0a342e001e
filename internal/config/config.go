// Package config reads the configuration from file and environment, composes that of all parts, validates it and documents it.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"mellium.im/xmpp/jid"

	"signalbox/certs"
	"signalbox/internal/access/enrolment"
	"signalbox/internal/account"
	"signalbox/internal/api"
	"signalbox/internal/console"
	"signalbox/internal/endpoint"
	"signalbox/internal/events"
	"signalbox/internal/events/webhook"
	"signalbox/internal/listen"
	"signalbox/internal/push"
	"signalbox/internal/remote"
	"signalbox/internal/store"
	"signalbox/internal/telemetry"
	"signalbox/internal/upload"
	"signalbox/relay"
	"signalbox/turn/control"
	"signalbox/xmpp"
)

// Config is the whole configuration.
type Config struct {
	Domain     string              `key:"domain" doc:"JID domain of the endpoints; the certificate must cover it."`
	BaseDomain string              `key:"base_domain" doc:"Domain after which the certificate bundle is named: base_domain.pem, else domain.pem; TIGASE_DOMAIN in the environment."`
	DataDir    string              `key:"data_dir" doc:"Directory of everything that is kept: the database, keys, signalbox.ready."`
	Listen     listen.Config       `key:"listen" doc:"Ports."`
	Certs      certs.Config        `key:"certs" doc:"Certificate bundles."`
	XMPP       xmpp.Config         `key:"xmpp" doc:"Limits and times of XMPP streams."`
	Push       push.Config         `key:"push" doc:"Pushes and their queues."`
	Events     Events              `key:"events" doc:"What those learn who follow what happens."`
	Account    account.Config      `key:"account" doc:"What one account holds for standard XMPP clients, with open routing."`
	Enrolment  enrolment.Config    `key:"enrolment" doc:"Endpoints that register themselves with a one-time token."`
	TURN       TURN                `key:"turn" doc:"STUN and TURN: the server of our own on listen.turn and listen.tls, and others."`
	Session    remote.Config       `key:"session" doc:"Remote sessions: their limits, and what holds for those that do not say."`
	Relay      relay.Config        `key:"relay" doc:"Channels of remote sessions that go through 443."`
	Upload     upload.Config       `key:"upload" doc:"Files that accounts share (XEP-0363)."`
	Console    console.Config      `key:"console" doc:"The technicians' console, at /console/ of listen.tls."`
	API        api.Config          `key:"api" doc:"The management server's HTTP API."`
	Store      Store               `key:"store" doc:"Durable state."`
	Drain      Drain               `key:"drain" doc:"How a node stops."`
	Log        telemetry.LogConfig `key:"log" doc:"Logs."`
}

// Store says where durable state is.
type Store struct {
	URL string `key:"url" doc:"Where durable state is kept; empty: SQLite in data_dir."`
	store.Config
}

// Events says what those learn who follow what happens.
type Events struct {
	events.Config
	endpoint.PresenceConfig
	Webhooks
}

// Webhooks says where events go by HTTP.
type Webhooks = webhook.Config

// Default returns the configuration that stands when nothing is set. It has no domain, so it does not validate.
func Default() Config {
	return Config{
		DataDir:   "/var/lib/signalbox",
		Listen:    listen.Default(),
		Certs:     certs.Default(),
		XMPP:      xmpp.Default(),
		Push:      push.Default(),
		Events:    Events{Config: events.Default(), PresenceConfig: endpoint.DefaultPresence(), Webhooks: webhook.Default()},
		Account:   account.Default(),
		Enrolment: enrolment.Default(),
		TURN:      TURN{Own: control.Default()},
		Session:   remote.Default(),
		Relay:     relay.Default(),
		Upload:    upload.Default(),
		Console:   console.Default(),
		API:       api.Default(),
		Store:     Store{Config: store.Default()},
		Drain:     defaultDrain(),
		Log:       telemetry.DefaultLog(),
	}
}

// Validate names every mistake with the path of its key, one per line.
func (c Config) Validate() error {
	errs := []error{checkDomain("domain", c.Domain, true), checkDomain("base_domain", c.BaseDomain, false)}
	if !filepath.IsAbs(c.DataDir) {
		errs = append(errs, fmt.Errorf("data_dir: is %q, must be an absolute path", c.DataDir))
	}
	errs = append(errs,
		under("listen", c.Listen.Validate()),
		c.checkPorts(),
		under("certs", c.Certs.Validate()),
		under("xmpp", c.XMPP.Validate()),
		under("xmpp", c.XMPP.CheckComponents(c.Domain, c.Listen.Component)),
		under("push", c.Push.Validate()),
		under("events", c.Events.Config.Validate()),
		under("events", c.Events.PresenceConfig.Validate()),
		under("events", c.Events.Webhooks.Validate()),
		under("account", c.Account.Validate()),
		under("enrolment", c.Enrolment.Validate()),
		under("turn", c.TURN.Validate()),
		under("session", c.Session.Validate()),
		under("relay", c.Relay.Validate()),
		under("upload", c.Upload.Validate()),
		under("console", c.Console.Validate()),
		under("api", c.API.Validate()),
		under("api", c.API.CheckPlain(c.Listen.API)),
		checkStore(c.Store.URL, cmp.Or(c.DataDir, "/")), // that there is no data_dir is said above
		under("store", c.Store.Validate()),
		under("drain", c.Drain.Validate()),
		under("log", c.Log.Validate()),
	)
	return errors.Join(errs...)
}

// under puts a section's key in front of each of its mistakes.
func under(section string, err error) error {
	if err == nil {
		return nil
	}
	lines := strings.Split(err.Error(), "\n")
	errs := make([]error, len(lines))
	for i, line := range lines {
		errs[i] = errors.New(section + "." + line)
	}
	return errors.Join(errs...)
}

// checkStore asks the store whether it can use the URL. A password in it does not matter for that and is not to be seen in a message.
func checkStore(url, dataDir string) error {
	if _, err := store.Locate(mask(url), dataDir); err != nil {
		return fmt.Errorf("store.url: %s", strings.TrimPrefix(err.Error(), "store.url "))
	}
	return nil
}

func checkDomain(key, domain string, needed bool) error {
	switch j, err := jid.Parse(domain); {
	case domain == "" && !needed:
		return nil
	case domain == "":
		return fmt.Errorf("%s: must be set, for example xmpp.example.com (or TIGASE_DOMAIN in the environment)", key)
	case err != nil || j.Domainpart() != domain || strings.ToLower(domain) != domain || strings.ContainsAny(domain, "/\\"):
		return fmt.Errorf("%s: %q is not a domain name in lower case", key, domain)
	}
	return nil
}
