package peers

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"signalbox/tests/beside"
	"signalbox/tests/peers/wire"
)

// othersPause is between two single pushes of a caller: with all callers there is one each 20 ms.
const othersPause = apiCallers * 20 * time.Millisecond

// others measures how long single pushes take until their endpoints have them, first alone, then while fan-outs to all follow each other. They go to sessions of their
// own: what waits behind a fan-out for the same endpoint is another question.
func (b *bench) others(ctx context.Context) error {
	o := wire.Order{From: b.Scale.Fleet, To: b.Scale.Fleet + b.Scale.Others, Management: true, Presence: true}
	if _, err := b.login(ctx, o); err != nil {
		return err
	}
	if _, err := b.crew.all(wire.Order{Do: wire.Expect}, same); err != nil { // from none: they answer with receipts
		return err
	}
	quiet, err := b.singles(ctx, "other/quiet", func() error { return beside.Pause(ctx, b.Scale.OthersFor) })
	if err != nil {
		return err
	}
	under, err := b.singles(ctx, "other/beside", func() error { return b.fanOuts(ctx, b.Scale.OthersFor) })
	if err == nil {
		b.add("other/ratio", under/quiet)
	}
	return err
}

// singles has pushes posted to the other sessions while something happens, and returns within how many milliseconds 99 of 100 were there.
func (b *bench) singles(ctx context.Context, key string, meanwhile func() error) (p99 float64, err error) {
	var next atomic.Int64
	stop := b.watchAPI(ctx, othersPause, func(ctx context.Context, client *http.Client) error {
		to := account(b.Scale.Fleet + int(next.Add(1))%b.Scale.Others)
		at := strconv.FormatInt(time.Now().UnixNano(), 10)
		return b.post(ctx, client, `{"to":"`+to+`","type":"bench.single","payload":{`+wire.AtField+at+`,"data":"`+singleData+`"}}`)
	})
	err = meanwhile()
	answered := stop()
	if err == nil {
		err = beside.Pause(ctx, rest)
	}
	if err != nil {
		return 0, err
	}
	r, err := b.crew.all(wire.Order{Do: wire.Delays}, same)
	arrived := latencies(r.Delays)
	slices.Sort(arrived)
	b.add("failed", float64(len(answered)-len(arrived)))
	b.add(key, arrived.milliseconds(0.99))
	b.add(key+"/half", arrived.milliseconds(0.5))
	b.add(key+"/answered", answered.milliseconds(0.99))
	return arrived.milliseconds(0.99), err
}

// singleData fills the payload of a single push up to 200 bytes.
var singleData = strings.Repeat("x", 160)

// fanOuts posts one push to all after the other, each when all have answered the last one.
func (b *bench) fanOuts(ctx context.Context, long time.Duration) error {
	o := wire.Order{Do: wire.Spread, To: b.Scale.Fleet, Size: 200, API: b.run.api, Token: b.run.token, Receipts: true}
	began, n := time.Now(), 0
	for ; time.Since(began) < long && ctx.Err() == nil; n++ {
		if _, err := b.crew.all(wire.Order{Do: wire.Expect, To: o.To}, same); err != nil {
			return err
		}
		sent, err := b.crew[0].obey(o)
		if err != nil {
			return err
		}
		arrived, err := b.crew.all(wire.Order{Do: wire.Await}, same)
		if err != nil {
			return err
		}
		b.add("failed", float64(sent.Failed+arrived.Failed))
	}
	b.add("other/fans", time.Since(began).Seconds()/float64(n))
	return ctx.Err()
}
