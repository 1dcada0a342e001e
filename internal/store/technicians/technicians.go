// Package technicians holds the SQL of the console's accounts, roles, sign-ins and links: the statements of the one writer, and the readers' queries.
package technicians

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"signalbox/internal/access/technician"
	"signalbox/internal/store/direct"
)

// Bounds of a domain.
const maxTechnicians = 10_000

// Statements are prepared on the writer's connection. One goroutine at a time uses them.
type Statements struct {
	find, count, insert, update, remove                                    *direct.Stmt
	findRole, countRoles, insertRole, updateRole, dropRole, useRole        *direct.Stmt
	insertSignIn, oldSignIns, dropOthers, touch, dropSignIn, expireSignIns *direct.Stmt
	insertLink, findLink, dropLink, dropLinks, expireLinks                 *direct.Stmt

	row [columns]driver.Value // reused
}

// The columns that technicianOf reads.
const (
	selectTechnician = "SELECT id, domain, name, display, roles, enabled, password, created, updated FROM technician"
	columns          = 9
	byIDOrName       = " WHERE domain = ?1 AND (id = ?2 OR name = ?2) ORDER BY id = ?2 DESC LIMIT 1"
)

const (
	queryOldSignIns = "DELETE FROM technician_signin WHERE hash IN (SELECT hash FROM technician_signin INDEXED BY technician_signin_of WHERE technician = ?1" +
		" ORDER BY created DESC LIMIT -1 OFFSET ?2)"
	queryExpireSignIns = "DELETE FROM technician_signin INDEXED BY technician_signin_expiry WHERE expires <= ?"
	queryExpireLinks   = "DELETE FROM technician_link INDEXED BY technician_link_expiry WHERE expires <= ?"
)

// Prepare prepares everything on the writer's connection.
func Prepare(p *direct.Preparer) *Statements {
	return &Statements{
		find:   p.Prepare(selectTechnician + byIDOrName),
		count:  p.Prepare("SELECT count(*) FROM technician WHERE domain = ?"),
		insert: p.Prepare("INSERT INTO technician (id, domain, name, display, roles, enabled, password, created, updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (domain, name) DO NOTHING"),
		update: p.Prepare("UPDATE technician SET display = ?2, roles = ?3, enabled = ?4, password = ?5, updated = ?6 WHERE id = ?1"),
		remove: p.Prepare("DELETE FROM technician WHERE id = ?"),

		findRole:   p.Prepare(selectRole + " WHERE domain = ? AND name = ?"),
		countRoles: p.Prepare("SELECT count(*) FROM technician_role WHERE domain = ?"),
		insertRole: p.Prepare("INSERT INTO technician_role (domain, name, rights, created, updated) VALUES (?, ?, ?, ?, ?) ON CONFLICT (domain, name) DO NOTHING"),
		updateRole: p.Prepare("UPDATE technician_role SET rights = ?3, updated = ?4 WHERE domain = ?1 AND name = ?2"),
		dropRole:   p.Prepare("DELETE FROM technician_role WHERE domain = ? AND name = ?"),
		useRole:    p.Prepare("SELECT 1 FROM technician, json_each(technician.roles) AS held WHERE domain = ?1 AND held.value = ?2 LIMIT 1"),

		insertSignIn:  p.Prepare("INSERT INTO technician_signin (hash, technician, method, remote, created, seen, expires) VALUES (?, ?, ?, ?, ?, ?, ?)"),
		oldSignIns:    p.Prepare(queryOldSignIns),
		dropOthers:    p.Prepare("DELETE FROM technician_signin WHERE technician = ? AND hash <> ?"),
		touch:         p.Prepare("UPDATE technician_signin SET seen = max(seen, ?2) WHERE hash = ?1"),
		dropSignIn:    p.Prepare("DELETE FROM technician_signin WHERE hash = ?"),
		expireSignIns: p.Prepare(queryExpireSignIns),

		insertLink:  p.Prepare("INSERT INTO technician_link (hash, technician, domain, expires) VALUES (?, ?, ?, ?)"),
		findLink:    p.Prepare(selectLink + " WHERE hash = ?"),
		dropLink:    p.Prepare("DELETE FROM technician_link WHERE hash = ?"),
		dropLinks:   p.Prepare("DELETE FROM technician_link WHERE technician = ?"),
		expireLinks: p.Prepare(queryExpireLinks),
	}
}

// Find returns the account with this id, else the one with this name, or technician.ErrUnknown.
func (s *Statements) Find(domain, idOrName string) (technician.Technician, error) {
	found, err := s.find.Row(s.row[:], domain, idOrName)
	if err == nil && !found {
		err = technician.ErrUnknown
	}
	if err != nil {
		return technician.Technician{}, err
	}
	return technicianOf(s.row[:])
}

// Insert stores an account. Errors: technician.ErrExists, technician.ErrTooMany.
func (s *Statements) Insert(t *technician.Technician) error {
	if full, err := s.full(s.count, t.Domain, maxTechnicians); full || err != nil {
		return orTooMany(err)
	}
	roles, err := encodeRoles(t.Roles)
	if err != nil {
		return err
	}
	n, err := s.insert.Exec(t.ID, t.Domain, t.Name, t.Display, roles, direct.Flag(t.Enabled), t.Password, direct.Micros(t.Created), direct.Micros(t.Updated))
	if err == nil && n == 0 {
		err = technician.ErrExists
	}
	return err
}

// full reports whether a domain has as many rows as it may.
func (s *Statements) full(count *direct.Stmt, domain string, most int64) (bool, error) {
	_, err := count.Row(s.row[:1], domain)
	return err == nil && direct.Int(s.row[0]) >= most, err
}

func orTooMany(err error) error {
	if err != nil {
		return err
	}
	return technician.ErrTooMany
}

// Update writes what of an account can change.
func (s *Statements) Update(t *technician.Technician) error {
	roles, err := encodeRoles(t.Roles)
	if err != nil {
		return err
	}
	return s.update.Run(t.ID, t.Display, roles, direct.Flag(t.Enabled), t.Password, direct.Micros(t.Updated))
}

// Delete removes an account with its sign-ins and links.
func (s *Statements) Delete(id string) error {
	if err := s.DropAll(id, nil); err != nil {
		return err
	}
	return s.remove.Run(id)
}

// DropAll removes the sign-ins and links of an account, but for the sign-in of keep.
func (s *Statements) DropAll(id string, keep *[32]byte) error {
	kept := []byte{}
	if keep != nil {
		kept = keep[:]
	}
	if err := s.dropOthers.Run(id, kept); err != nil {
		return err
	}
	return s.dropLinks.Run(id)
}

// InsertSignIn stores a sign-in, and removes the oldest ones of its technician beyond technician.MaxSignIns and all that have expired.
func (s *Statements) InsertSignIn(in *technician.SignIn) error {
	if err := s.expireSignIns.Run(direct.Micros(in.Created)); err != nil {
		return err
	}
	if err := s.oldSignIns.Run(in.Technician, int64(technician.MaxSignIns-1)); err != nil {
		return err
	}
	return s.insertSignIn.Run(in.Hash[:], in.Technician, in.Method, in.Remote, direct.Micros(in.Created), direct.Micros(in.Seen), direct.Micros(in.Expires))
}

// Touch notes when a sign-in was last used.
func (s *Statements) Touch(hash [32]byte, seen time.Time) error {
	return s.touch.Run(hash[:], direct.Micros(seen))
}

// DropSignIn removes a sign-in and reports whether there was one.
func (s *Statements) DropSignIn(hash [32]byte) (bool, error) {
	n, err := s.dropSignIn.Exec(hash[:])
	return n > 0, err
}

// InsertLink stores a link, and removes those that have expired at now.
func (s *Statements) InsertLink(l *technician.Link, now time.Time) error {
	if err := s.expireLinks.Run(direct.Micros(now)); err != nil {
		return err
	}
	return s.insertLink.Run(l.Hash[:], l.Technician, l.Domain, direct.Micros(l.Expires))
}

// TakeLink removes a link and returns it, or technician.ErrLink.
func (s *Statements) TakeLink(hash [32]byte) (technician.Link, error) {
	found, err := s.findLink.Row(s.row[:linkColumns], hash[:])
	if err == nil && !found {
		err = technician.ErrLink
	}
	if err != nil {
		return technician.Link{}, err
	}
	l, err := linkOf(s.row[:linkColumns])
	if err != nil {
		return technician.Link{}, err
	}
	return l, s.dropLink.Run(hash[:])
}

func encodeRoles(names []string) (string, error) {
	text, err := json.Marshal(append([]string{}, names...))
	if err != nil {
		return "", fmt.Errorf("encode roles: %w", err)
	}
	return string(text), nil
}

// technicianOf reads the columns of selectTechnician.
func technicianOf(row []driver.Value) (technician.Technician, error) {
	t := technician.Technician{
		ID: direct.Text(row[0]), Domain: direct.Text(row[1]), Name: direct.Text(row[2]), Display: direct.Text(row[3]), Enabled: direct.Int(row[5]) != 0,
		Password: direct.Text(row[6]), Created: direct.Time(direct.Int(row[7])), Updated: direct.Time(direct.Int(row[8])),
	}
	if err := json.Unmarshal([]byte(direct.Text(row[4])), &t.Roles); err != nil {
		return technician.Technician{}, fmt.Errorf("read roles of %s: %w", t.ID, err)
	}
	return t, nil
}
