package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// NewTechnician is an account of the console that is to be made.
type NewTechnician struct {
	Name        string   `json:"name"`
	DisplayName string   `json:"display_name,omitempty"`
	Password    string   `json:"password,omitempty"` // empty: the technician signs in by links alone
	Roles       []string `json:"roles,omitempty"`
}

// TechnicianChange changes an account; nil fields stay as they are.
type TechnicianChange struct {
	DisplayName *string   `json:"display_name,omitempty"`
	Password    *string   `json:"password,omitempty"` // empty removes it
	Roles       *[]string `json:"roles,omitempty"`
	Enabled     *bool     `json:"enabled,omitempty"`
}

// TechnicianAccount is an account of the console.
type TechnicianAccount struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	DisplayName string    `json:"display_name,omitempty"`
	Roles       []string  `json:"roles"`
	Enabled     bool      `json:"enabled"`
	HasPassword bool      `json:"has_password"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

// TechnicianLink signs a technician in, once.
type TechnicianLink struct {
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Role says what may be done on which endpoints.
type Role struct {
	Name            string            `json:"name"`
	BuiltIn         bool              `json:"built_in"`
	Kinds           []string          `json:"kinds"`
	Permissions     []string          `json:"permissions"`
	Groups          []string          `json:"groups"`
	Labels          map[string]string `json:"labels"`
	ManagesSessions bool              `json:"manages_sessions"`
}

// NewRole is a role that is to be made.
type NewRole struct {
	Name            string            `json:"name"`
	Kinds           []string          `json:"kinds,omitempty"`
	Permissions     []string          `json:"permissions,omitempty"` // empty: all within the kinds
	Groups          []string          `json:"groups,omitempty"`      // empty: endpoints in any group or none
	Labels          map[string]string `json:"labels,omitempty"`
	ManagesSessions bool              `json:"manages_sessions,omitempty"`
}

const (
	technicians = "/v1/technicians"
	roles       = "/v1/roles"
)

// CreateTechnician makes an account. The request is not repeated once it may have arrived.
func (c *Client) CreateTechnician(ctx context.Context, n NewTechnician) (out TechnicianAccount, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: technicians, body: n}, &out)
	return out, err
}

// Technicians returns a page of accounts by name: up to limit, 1..500, behind the page that gave the cursor.
func (c *Client) Technicians(ctx context.Context, limit int, cursor string) (out Page[TechnicianAccount], err error) {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	_, err = c.do(ctx, call{method: http.MethodGet, path: technicians, query: q}, &out)
	return out, err
}

// ChangeTechnician changes the account with this id or name.
func (c *Client) ChangeTechnician(ctx context.Context, id string, change TechnicianChange) (out TechnicianAccount, err error) {
	_, err = c.do(ctx, call{method: http.MethodPatch, path: technicians + "/" + url.PathEscape(id), body: change}, &out)
	return out, err
}

// DeleteTechnician removes the account with this id or name.
func (c *Client) DeleteTechnician(ctx context.Context, id string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: technicians + "/" + url.PathEscape(id)}, nil)
	return err
}

// LinkTechnician makes a link that signs the technician with this id or name in, once.
func (c *Client) LinkTechnician(ctx context.Context, id string) (out TechnicianLink, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: technicians + "/" + url.PathEscape(id) + "/link"}, &out)
	return out, err
}

// CreateRole makes a role. The request is not repeated once it may have arrived.
func (c *Client) CreateRole(ctx context.Context, n NewRole) (out Role, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: roles, body: n}, &out)
	return out, err
}

// Roles returns all roles: first those that are built in.
func (c *Client) Roles(ctx context.Context) ([]Role, error) {
	var out Page[Role]
	_, err := c.do(ctx, call{method: http.MethodGet, path: roles}, &out)
	return out.Items, err
}

// DeleteRole removes a role that nobody has.
func (c *Client) DeleteRole(ctx context.Context, name string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: roles + "/" + url.PathEscape(name)}, nil)
	return err
}
