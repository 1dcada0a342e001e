package technicians

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"

	"signalbox/internal/access/technician"
	"signalbox/internal/store/direct"
)

// The columns that roleOf reads.
const (
	selectRole  = "SELECT name, rights, created, updated FROM technician_role"
	roleColumns = 4
)

// rights is what of a role is stored in one column.
type rights struct {
	Kinds       []string          `json:"kinds,omitempty"`
	Permissions []string          `json:"permissions,omitempty"`
	Groups      []string          `json:"groups,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Manages     bool              `json:"manages,omitempty"`
}

func encodeRights(r *technician.Role) (string, error) {
	text, err := json.Marshal(rights{r.Kinds, r.Permissions, r.Groups, r.Labels, r.Manages})
	if err != nil {
		return "", fmt.Errorf("encode role: %w", err)
	}
	return string(text), nil
}

// roleOf reads the columns of selectRole.
func roleOf(row []driver.Value) (technician.Role, error) {
	var stored rights
	if err := json.Unmarshal([]byte(direct.Text(row[1])), &stored); err != nil {
		return technician.Role{}, fmt.Errorf("read role %s: %w", direct.Text(row[0]), err)
	}
	return technician.Role{
		Name: direct.Text(row[0]), Kinds: stored.Kinds, Permissions: stored.Permissions, Groups: stored.Groups, Labels: stored.Labels, Manages: stored.Manages,
		Created: direct.Time(direct.Int(row[2])), Updated: direct.Time(direct.Int(row[3])),
	}, nil
}

// FindRole returns a role, or technician.ErrUnknownRole.
func (s *Statements) FindRole(domain, name string) (technician.Role, error) {
	found, err := s.findRole.Row(s.row[:roleColumns], domain, name)
	if err == nil && !found {
		err = technician.ErrUnknownRole
	}
	if err != nil {
		return technician.Role{}, err
	}
	return roleOf(s.row[:roleColumns])
}

// InsertRole stores a role. Errors: technician.ErrRoleExists, technician.ErrTooMany.
func (s *Statements) InsertRole(domain string, r *technician.Role) error {
	if full, err := s.full(s.countRoles, domain, technician.MaxCustomRoles); full || err != nil {
		return orTooMany(err)
	}
	text, err := encodeRights(r)
	if err != nil {
		return err
	}
	n, err := s.insertRole.Exec(domain, r.Name, text, direct.Micros(r.Created), direct.Micros(r.Updated))
	if err == nil && n == 0 {
		err = technician.ErrRoleExists
	}
	return err
}

// UpdateRole writes what of a role can change.
func (s *Statements) UpdateRole(domain string, r *technician.Role) error {
	text, err := encodeRights(r)
	if err != nil {
		return err
	}
	return s.updateRole.Run(domain, r.Name, text, direct.Micros(r.Updated))
}

// DeleteRole removes a role that nobody has. Errors: technician.ErrUnknownRole, technician.ErrRoleUsed.
func (s *Statements) DeleteRole(domain, name string) error {
	used, err := s.useRole.Row(s.row[:1], domain, name)
	if err != nil {
		return err
	}
	n, err := int64(0), error(technician.ErrRoleUsed)
	if !used {
		n, err = s.dropRole.Exec(domain, name)
	}
	if err == nil && n == 0 {
		err = technician.ErrUnknownRole
	}
	return err
}
