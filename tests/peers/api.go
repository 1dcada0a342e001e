package peers

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"signalbox/tests/beside"
)

// apiCallers is how many callers of the API there are, each with one request under way, and apiPause the time between two requests of one where it watches a storm.
const (
	apiCallers = 4
	apiPause   = 20 * time.Millisecond
)

// latencies are the times that requests took, ascending.
type latencies []time.Duration

// milliseconds returns the time within which this part of the requests was answered.
func (l latencies) milliseconds(part float64) float64 {
	if len(l) == 0 {
		return 0
	}
	return float64(l[min(len(l)-1, int(part*float64(len(l))))]) / float64(time.Millisecond)
}

// watchAPI lets callers post one push after the other, with a pause between two, until the returned function is called, which returns how long each took. A request that
// fails is counted.
func (b *bench) watchAPI(ctx context.Context, pause time.Duration, post func(context.Context, *http.Client) error) (stop func() latencies) {
	ctx, cancel := context.WithCancel(ctx)
	var mu sync.Mutex
	var all latencies
	failed := 0
	var wg sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: apiCallers}}
	for i := range apiCallers {
		wg.Go(func() { // stop ends them and waits for them
			_ = beside.Pause(ctx, pause*time.Duration(i)/apiCallers) // they take turns
			for beside.Pause(ctx, pause) == nil {
				began := time.Now()
				err := post(context.WithoutCancel(ctx), client)
				mu.Lock()
				if all = append(all, time.Since(began)); err != nil {
					failed++
					b.Log("%v", err)
				}
				mu.Unlock()
			}
		})
	}
	return func() latencies {
		cancel()
		wg.Wait()
		client.CloseIdleConnections()
		b.add("failed", float64(failed))
		slices.Sort(all)
		return all
	}
}

// postQuiet posts a durable push to an account that no session has.
func (b *bench) postQuiet(ctx context.Context, client *http.Client) error {
	return b.post(ctx, client, `{"to":"`+account(b.Scale.accounts()-1)+`","type":"bench.quiet","ttl":1}`)
}

// post posts one push.
func (b *bench) post(ctx context.Context, client *http.Client, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+b.run.api+"/v1/pushes", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+b.run.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode != http.StatusAccepted {
		err = fmt.Errorf("post a push: %s", resp.Status)
	}
	return err
}

// quietAPI is how long requests take while nothing else happens.
func (b *bench) quietAPI(ctx context.Context) error {
	stop := b.watchAPI(ctx, apiPause, b.postQuiet)
	err := beside.Pause(ctx, b.Scale.Settle)
	took := stop()
	b.add("quiet/api", took.milliseconds(0.99))
	b.add("quiet/api50", took.milliseconds(0.5))
	return err
}
