package app

import (
	"fmt"
	"time"

	"signalbox/internal/account"
	"signalbox/xmpp"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/feature/pubsub"
	"signalbox/xmpp/im"
)

// buildFeatures builds what the server offers, and where routing is open also what standard clients expect of their accounts.
func (a *App) buildFeatures() (*feature.Set, error) {
	services, err := a.externalServices()
	if err != nil {
		return nil, err
	}
	extra := []string{"urn:xmpp:sm:3", "urn:xmpp:receipts"}
	common := []feature.Feature{
		feature.Ping(), feature.Version(a.version.Version), feature.Time(), feature.Uptime(time.Now()), feature.LegacySession(), feature.ClientState(),
		a.components.Feature(), services, feature.OutageStatus(a.cfg.XMPP.StatusURLs),
		a.signals.Feature(broker{a.remote}),
	}
	if a.uploads != nil {
		common = append(common, feature.FileUpload(a.uploads, a.cfg.Domain, a.log))
	}
	if a.cfg.XMPP.Routing != xmpp.RoutingOpen {
		return feature.NewSet(extra, append(common, feature.ManagedRoster(), a.administration())...), nil
	}
	if a.accounts, err = account.New(a.cfg.Account, a.store.Accounts()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	a.im = im.New(a.cfg.Domain, im.Deps{Accounts: a.accounts, Directory: a.store, Clients: xmpp.Clients(a.endpoint), Components: a.components}, a.log)
	open := []feature.Feature{
		a.im.Roster(),
		feature.Blocking(a.accounts, a.im, a.im, a.log),
		feature.MessageProcessing(a.im),
		feature.LastActivity(a.accounts, a.im, a.log),
	}
	if a.cfg.Account.Archive {
		open = append(open, feature.Archive(a.accounts, a.log))
	}
	pep := pubsub.New(a.accounts, a.im, a.log)
	open = append(open, feature.MessageCarbons(a.im), feature.OfflineMessages(a.accounts, a.im, a.log), a.administration(),
		feature.ClientCaps(a.im, pep.Wanted), pep.Feature(), feature.PushNotifications(a.accounts, a.im, a.log))
	set := feature.NewSet(extra, append(common, open...)...)
	a.im.SetFeatures(set)
	return set, nil
}

// externalServices builds what tells clients of other servers.
func (a *App) externalServices() (feature.Feature, error) {
	services, err := a.cfg.TURN.Services()
	if err == nil {
		var secret []byte
		if secret, err = a.cfg.TURN.Secret(); err == nil {
			return feature.ExternalServices(services, secret, a.cfg.Domain, a.ownRelay(), time.Now), nil
		}
	}
	return feature.Feature{}, fmt.Errorf("%w: turn.%w", ErrConfig, err)
}
