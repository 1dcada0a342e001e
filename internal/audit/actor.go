package audit

import (
	"context"
	"net/netip"
)

// Server is the actor of what nobody in particular did.
const Server = "server"

// Stranger returns the actor of what somebody did who has not shown who they are: "stranger:" and the address where they are seen.
func Stranger(from netip.Addr) string { return "stranger:" + from.Unmap().WithZone("").String() }

type actorKey struct{}

// By returns a context in which everything is done by an actor, for acts whose entry is made far below whoever knows that: in the store, with the change itself.
func By(ctx context.Context, actor string) context.Context {
	return context.WithValue(ctx, actorKey{}, actor)
}

// ActorOf returns who acts in a context: Server, unless By said another.
func ActorOf(ctx context.Context) string {
	if actor, ok := ctx.Value(actorKey{}).(string); ok {
		return actor
	}
	return Server
}
