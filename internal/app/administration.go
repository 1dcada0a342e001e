package app

import (
	"signalbox/internal/endpoint"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/feature/admin"
)

// administration is what the administrators of xmpp.admins may do over XMPP, by the same directory as over the API.
func (a *App) administration() feature.Feature {
	return admin.Commands(a.cfg.Domain, a.cfg.XMPP.Admins, a.adminDeps(), a.log)
}

func (a *App) adminDeps() admin.Deps {
	deps := admin.Deps{Directory: endpoint.NewDirectory(a.store, a.endpoint), Registry: a.endpoint}
	if a.im != nil {
		deps.Roster = a.im.RosterXML
	}
	return deps
}
