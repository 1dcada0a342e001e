package technicians

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"signalbox/internal/access/technician"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/query"
)

// Reader reads on connections that see what is committed. All methods may be called concurrently.
type Reader struct {
	find, list, roles, signIn, link *sql.Stmt
}

const (
	querySignIn = "SELECT t.id, t.domain, t.name, t.display, t.roles, t.enabled, t.password, t.created, t.updated, s.hash, s.method, s.remote, s.created, s.seen, s.expires" +
		" FROM technician_signin AS s JOIN technician AS t ON t.id = s.technician WHERE s.hash = ?"
	signInColumns = columns + 6
	queryList     = selectTechnician + " WHERE domain = ? AND name > ? ORDER BY name LIMIT ?"
	selectLink    = "SELECT hash, technician, domain, expires FROM technician_link"
	linkColumns   = 4
)

// NewReader prepares the queries.
func NewReader(ctx context.Context, db *sql.DB) (*Reader, error) {
	r := &Reader{}
	return r, query.Prepare(ctx, db, map[string]**sql.Stmt{
		selectTechnician + byIDOrName: &r.find,
		queryList:                     &r.list,
		selectRole + " WHERE domain = ? ORDER BY name": &r.roles,
		querySignIn:                    &r.signIn,
		selectLink + " WHERE hash = ?": &r.link,
	})
}

// Technician returns the account with this id, else the one with this name, or technician.ErrUnknown.
func (r *Reader) Technician(ctx context.Context, domain, idOrName string) (technician.Technician, error) {
	return query.One(ctx, r.find, columns, technicianOf, technician.ErrUnknown, domain, idOrName)
}

// Technicians returns up to limit accounts with names behind after.
func (r *Reader) Technicians(ctx context.Context, domain, after string, limit int) ([]technician.Technician, error) {
	return query.List(ctx, r.list, columns, technicianOf, domain, after, limit)
}

// Roles returns the roles of a domain by name.
func (r *Reader) Roles(ctx context.Context, domain string) ([]technician.Role, error) {
	return query.List(ctx, r.roles, roleColumns, roleOf, domain)
}

// signedIn is a sign-in and whose it is.
type signedIn struct {
	in    technician.SignIn
	whose technician.Technician
}

// SignIn returns the sign-in with this hash and its technician, or technician.ErrNotSignedIn.
func (r *Reader) SignIn(ctx context.Context, hash [32]byte) (technician.SignIn, technician.Technician, error) {
	s, err := query.One(ctx, r.signIn, signInColumns, signInOf, technician.ErrNotSignedIn, hash[:])
	return s.in, s.whose, err
}

func signInOf(row []driver.Value) (signedIn, error) {
	whose, err := technicianOf(row)
	rest := row[columns:]
	in := technician.SignIn{
		Technician: whose.ID, Method: direct.Text(rest[1]), Remote: direct.Text(rest[2]), Created: direct.Time(direct.Int(rest[3])), Seen: direct.Time(direct.Int(rest[4])),
		Expires: direct.Time(direct.Int(rest[5])),
	}
	copy(in.Hash[:], direct.Bytes(rest[0]))
	return signedIn{in, whose}, err
}

// Link returns a link, or technician.ErrLink.
func (r *Reader) Link(ctx context.Context, hash [32]byte) (technician.Link, error) {
	return query.One(ctx, r.link, linkColumns, linkOf, technician.ErrLink, hash[:])
}

// linkOf reads the columns of selectLink.
func linkOf(row []driver.Value) (technician.Link, error) {
	l := technician.Link{Technician: direct.Text(row[1]), Domain: direct.Text(row[2]), Expires: direct.Time(direct.Int(row[3]))}
	copy(l.Hash[:], direct.Bytes(row[0]))
	return l, nil
}
