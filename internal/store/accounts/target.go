package accounts

import (
	"database/sql/driver"

	"signalbox/internal/account"
	"signalbox/internal/store/direct"
)

type targetStmts struct {
	others, save, delete, deleteAll *direct.Stmt
}

func newTargetStmts(p *direct.Preparer) targetStmts {
	return targetStmts{
		others: p.Prepare("SELECT count(*), 0 FROM push_target WHERE ep = ? AND NOT (service = ? AND node = ?)"),
		save: p.Prepare("INSERT INTO push_target (ep, service, node, options) VALUES (?, ?, ?, ?)" +
			" ON CONFLICT (ep, service, node) DO UPDATE SET options = excluded.options"),
		delete:    p.Prepare("DELETE FROM push_target WHERE ep = ? AND service = ? AND node = ?"),
		deleteAll: p.Prepare("DELETE FROM push_target WHERE ep = ? AND service = ?"),
	}
}

func (t *tx) CountPushTargets(service, node string) (int, error) {
	n, _, err := t.counts(t.target.others, t.ep, service, node)
	return n, err
}

func (t *tx) SavePushTarget(p account.PushTarget) error {
	var options driver.Value
	if p.Options != nil {
		options = p.Options
	}
	return t.target.save.Run(t.ep, p.Service, p.Node, options)
}

func (t *tx) DeletePushTargets(service string, node *string) (int, error) {
	var n int64
	var err error
	if node != nil {
		n, err = t.target.delete.Exec(t.ep, service, *node)
	} else {
		n, err = t.target.deleteAll.Exec(t.ep, service)
	}
	return int(n), err
}
