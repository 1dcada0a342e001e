package api

import (
	"time"

	"signalbox/internal/access/technician"
)

type technicianCreate struct {
	Name     string   `json:"name" minLength:"1" maxLength:"64" pattern:"^[a-z0-9._+@-]+$" doc:"What the technician signs in with." example:"ada"`
	Display  string   `json:"display_name,omitempty" maxLength:"128" doc:"What users at endpoints are shown; absent: the name." example:"Ada Lovelace"`
	Password *string  `json:"password,omitempty" minLength:"12" maxLength:"256" doc:"Absent: the technician signs in by links alone."`
	Roles    []string `json:"roles,omitempty" nullable:"false" maxItems:"16" doc:"Names of roles, see GET /v1/roles. Without any, nothing is seen." example:"operator"`
	Enabled  *bool    `json:"enabled,omitempty" default:"true" doc:"Whether the technician may sign in."`
}

type technicianChange struct {
	Display  *string   `json:"display_name,omitempty" maxLength:"128" doc:"Empty: the name is shown."`
	Password *string   `json:"password,omitempty" maxLength:"256" doc:"At least 12 bytes; empty removes it. The technician has to sign in again."`
	Roles    *[]string `json:"roles,omitempty" nullable:"false" maxItems:"16" doc:"Replaces all roles, at once also for who is signed in."`
	Enabled  *bool     `json:"enabled,omitempty" doc:"false signs the technician out and ends their sessions."`
}

type technicianAccountBody struct {
	_           struct{}  `additionalProperties:"true"`
	ID          string    `json:"id" example:"tec_01kb8w5z3v0000000000000000"`
	Name        string    `json:"name"`
	Display     string    `json:"display_name,omitempty"`
	Roles       []string  `json:"roles" nullable:"false"`
	Enabled     bool      `json:"enabled"`
	HasPassword bool      `json:"has_password" doc:"Whether the technician can sign in without a link."`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

type linkBody struct {
	_         struct{}  `additionalProperties:"true"`
	URL       string    `json:"url" doc:"Signs the technician in to the console, once. What it is worth stands behind the #, which browsers do not send to servers."`
	ExpiresAt time.Time `json:"expires_at"`
}

type roleCreate struct {
	Name        string            `json:"name" minLength:"1" maxLength:"64" pattern:"^[a-z0-9._+@-]+$" example:"paris-desk"`
	Kinds       []string          `json:"kinds,omitempty" nullable:"false" maxItems:"4" enum:"desktop,terminal,files,processes" doc:"Kinds of sessions that may be opened; none: endpoints are only seen."`
	Permissions []string          `json:"permissions,omitempty" nullable:"false" maxItems:"16" enum:"desktop.view,desktop.control,terminal.type,files.read,files.write,processes.read,processes.kill" doc:"Within the kinds; absent or empty: all of them."`
	Groups      []string          `json:"groups,omitempty" nullable:"false" maxItems:"64" doc:"It holds for endpoints in one of these; absent or empty: in any or none."`
	Labels      map[string]string `json:"labels,omitempty" maxProperties:"16" doc:"And with all of these."`
	Manages     bool              `json:"manages_sessions,omitempty" doc:"Whether sessions of others on these endpoints are seen and can be ended."`
}

type roleChange struct {
	Kinds       *[]string          `json:"kinds,omitempty" nullable:"false" maxItems:"4" enum:"desktop,terminal,files,processes" doc:"Replaces all kinds."`
	Permissions *[]string          `json:"permissions,omitempty" nullable:"false" maxItems:"16" enum:"desktop.view,desktop.control,terminal.type,files.read,files.write,processes.read,processes.kill" doc:"Replaces all permissions; empty: all within the kinds. Absent while kinds is there: all within those."`
	Groups      *[]string          `json:"groups,omitempty" nullable:"false" maxItems:"64" doc:"Replaces all groups."`
	Labels      *map[string]string `json:"labels,omitempty" maxProperties:"16" doc:"Replaces all labels."`
	Manages     *bool              `json:"manages_sessions,omitempty"`
}

type roleBody struct {
	_           struct{}          `additionalProperties:"true"`
	Name        string            `json:"name"`
	BuiltIn     bool              `json:"built_in" doc:"Whether it is always there and cannot be changed."`
	Kinds       []string          `json:"kinds" nullable:"false"`
	Permissions []string          `json:"permissions" nullable:"false"`
	Groups      []string          `json:"groups" nullable:"false"`
	Labels      map[string]string `json:"labels"`
	Manages     bool              `json:"manages_sessions"`
	CreatedAt   time.Time         `json:"created_at,omitzero" doc:"Absent where it is built in."`
	UpdatedAt   time.Time         `json:"updated_at,omitzero"`
}

func showTechnicianAccount(t technician.Technician) technicianAccountBody {
	return technicianAccountBody{
		ID: t.ID, Name: t.Name, Display: t.Display, Roles: append([]string{}, t.Roles...), Enabled: t.Enabled, HasPassword: t.Password != "", CreatedAt: utc(t.Created),
		UpdatedAt: utc(t.Updated),
	}
}

func showRole(r technician.Role) roleBody {
	b := roleBody{
		Name: r.Name, BuiltIn: r.BuiltIn, Kinds: append([]string{}, r.Kinds...), Permissions: append([]string{}, r.Permissions...), Groups: append([]string{}, r.Groups...),
		Labels: r.Labels, Manages: r.Manages, CreatedAt: utc(r.Created), UpdatedAt: utc(r.Updated),
	}
	if b.Labels == nil {
		b.Labels = map[string]string{}
	}
	return b
}

// apply changes r.
func (c *roleChange) apply(r *technician.Role) {
	if c.Kinds != nil {
		r.Kinds, r.Permissions = *c.Kinds, nil
	}
	if c.Permissions != nil {
		r.Permissions = *c.Permissions
	}
	if c.Groups != nil {
		r.Groups = *c.Groups
	}
	if c.Labels != nil {
		r.Labels = *c.Labels
	}
	if c.Manages != nil {
		r.Manages = *c.Manages
	}
}
