package store

import (
	"context"

	"signalbox/internal/endpoint"
)

// FastTokens returns the tokens of one client of an endpoint, the zero value if it has none.
func (s *Store) FastTokens(ctx context.Context, k endpoint.Key, client string) (endpoint.FastTokens, error) {
	return s.reader.endpoints.FastTokens(ctx, k, client)
}

// SaveFastTokens replaces the tokens of one client of an endpoint; the zero value removes them. It returns endpoint.ErrUnknown or endpoint.ErrDisabled where there
// may be none. At most endpoint.MaxFastClients clients of an endpoint have tokens.
func (s *Store) SaveFastTokens(ctx context.Context, k endpoint.Key, client string, tokens endpoint.FastTokens) error {
	return s.try(ctx, func(t *tx) error {
		num, enabled, err := t.endpoint.Num(k)
		switch {
		case err != nil:
			return err
		case !enabled:
			return endpoint.ErrDisabled
		case !tokens.Current.Exists() && !tokens.New.Exists():
			return t.endpoint.RemoveFastTokens(num, client)
		}
		return t.endpoint.SaveFastTokens(num, client, &tokens)
	}, endpoint.ErrUnknown, endpoint.ErrDisabled)
}
