package technician

import (
	"context"
	"time"
)

// Store is durable storage of accounts, roles, sign-ins and links. All methods may be called concurrently; what one that writes has done is durable when it returns nil.
type Store interface {
	// CreateTechnician stores an account. Errors: ErrExists, ErrUnknownRole for a role that is neither built in nor there, ErrTooMany.
	CreateTechnician(ctx context.Context, t Technician) error
	// UpdateTechnician applies p, of which the password is already what is kept, to the account with this id or name and returns it. Where it is disabled or its password
	// changes, its sign-ins and links end, but for the one of keep. Errors: ErrUnknown, ErrUnknownRole.
	UpdateTechnician(ctx context.Context, domain, idOrName string, p Patch, now time.Time, keep *[32]byte) (Technician, error)
	// DeleteTechnician removes an account with its sign-ins and links, and returns it as it was, or ErrUnknown.
	DeleteTechnician(ctx context.Context, domain, idOrName string) (Technician, error)
	// Technician returns the account with this id or name, or ErrUnknown. An id goes before a name.
	Technician(ctx context.Context, domain, idOrName string) (Technician, error)
	// Technicians returns up to limit accounts with names behind after, in their order.
	Technicians(ctx context.Context, domain, after string, limit int) ([]Technician, error)

	// CreateRole stores a role. Errors: ErrRoleExists, ErrTooMany.
	CreateRole(ctx context.Context, domain string, r Role) error
	// ReplaceRole puts r in the place of the role of its name, which keeps its Created, or returns ErrUnknownRole.
	ReplaceRole(ctx context.Context, domain string, r Role) (Role, error)
	// DeleteRole removes a role. Errors: ErrUnknownRole, ErrRoleUsed.
	DeleteRole(ctx context.Context, domain, name string) error
	// Roles returns the roles that are not built in, by name.
	Roles(ctx context.Context, domain string) ([]Role, error)

	// CreateSignIn stores one, and removes the oldest ones of its technician beyond MaxSignIns and all that have expired.
	CreateSignIn(ctx context.Context, s SignIn) error
	// SignIn returns the sign-in of a cookie with this hash, and whose it is, or ErrNotSignedIn.
	SignIn(ctx context.Context, hash [32]byte) (SignIn, Technician, error)
	// TouchSignIn notes when a sign-in was last used. It is no error where there is none.
	TouchSignIn(ctx context.Context, hash [32]byte, seen time.Time) error
	// DeleteSignIn ends a sign-in and reports whether there was one.
	DeleteSignIn(ctx context.Context, hash [32]byte) (bool, error)

	// CreateLink stores a link, and removes those that have expired.
	CreateLink(ctx context.Context, l Link) error
	// Link returns a link without using it up, or ErrLink.
	Link(ctx context.Context, hash [32]byte) (Link, error)
	// TakeLink removes a link and returns it, or ErrLink. Of several at a time one gets it.
	TakeLink(ctx context.Context, hash [32]byte) (Link, error)
}

// SignIn is one browser of a technician.
type SignIn struct {
	Hash       [32]byte // SHA-256 of what the cookie holds
	Technician string   // id
	Method     string   // MethodPassword, MethodLink
	Remote     string   // address from which it was made
	Created    time.Time
	Seen       time.Time // when it was last used, to a minute
	Expires    time.Time // whatever happens
}

// Methods of signing in.
const (
	MethodPassword = "password"
	MethodLink     = "link"
)

// MaxSignIns is how many browsers one technician may be signed in with.
const MaxSignIns = 16

// Link signs a technician in once.
type Link struct {
	Hash       [32]byte // SHA-256 of what it holds
	Technician string   // id
	Domain     string
	Expires    time.Time
}
