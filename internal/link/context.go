package link

import "context"

type infoKey struct{}

// NewContext returns a context that carries what is known of the connection on which an HTTP request came.
func NewContext(ctx context.Context, info Info) context.Context {
	return context.WithValue(ctx, infoKey{}, info)
}

// FromContext returns what NewContext put in; false if nobody did.
func FromContext(ctx context.Context) (Info, bool) {
	info, ok := ctx.Value(infoKey{}).(Info)
	return info, ok
}
