package stores

import (
	"context"
	"time"

	"signalbox/internal/push"
)

// growthStep is how many pushes are under way before they are acknowledged.
const growthStep = 20_000

// growth measures what a database takes after many pushes, each accepted, sent and delivered; after all of them were deleted; and after some more.
func (b *bench) growth(ctx context.Context) error {
	empty, err := b.side.size(ctx)
	if err != nil {
		return err
	}
	done, err := b.grow(ctx, b.Scale.Grown)
	if err != nil {
		return err
	}
	b.add("grown/pushes", float64(done))
	full, err := b.side.size(ctx)
	if err != nil {
		return err
	}
	b.add("grown/each", float64(full-empty)/float64(done))
	b.add("grown/size", mebibytes(full-empty))
	if err := b.side.forget(ctx); err != nil {
		return err
	}
	b.pushes, b.events = 0, 0
	if err := b.addSize(ctx, "forget/size", empty); err != nil {
		return err
	}
	if _, err := b.grow(ctx, b.Scale.Again); err != nil {
		return err
	}
	return b.addSize(ctx, "again/size", empty)
}

func (b *bench) addSize(ctx context.Context, key string, empty int64) error {
	n, err := b.side.size(ctx)
	b.add(key, mebibytes(n-empty))
	return err
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }

// grow accepts and acknowledges up to n pushes, as many as the time allows.
func (b *bench) grow(ctx context.Context, n int) (done int, err error) {
	for begin := time.Now(); done < n && time.Since(begin) < b.Scale.Within; {
		ds, err := b.fill(ctx, b.anywhere(min(growthStep, n-done)))
		if err != nil {
			return done, err
		}
		for _, state := range []push.State{push.Sent, push.Delivered} {
			if err := b.advance(ctx, ds, state); err != nil {
				return done, err
			}
		}
		done += len(ds)
	}
	return done, nil
}
