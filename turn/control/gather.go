package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"signalbox/internal/telemetry"
)

// Bounds of Gather.
const (
	gatherTimeout = time.Second
	maxFamilies   = 256
)

// The names of the TURN process's metrics, and of those of this package in the server.
const (
	metricsPrefix = "signalbox_turn_"
	ownPrefix     = "signalbox_turn_control_"
)

// families are metrics as a registry gathers them.
type families []*dto.MetricFamily

// Gather implements prometheus.Gatherer: it returns the metrics of the TURN process, those that it had last while it does not answer. It never fails.
func (c *Client) Gather() ([]*dto.MetricFamily, error) {
	ctx, cancel := context.WithTimeout(context.Background(), gatherTimeout)
	defer cancel()
	p := c.present()
	if p == nil {
		return c.lastFamilies(nil), nil
	}
	answer, err := p.call(ctx, message{Do: doMetrics})
	if err != nil {
		return c.lastFamilies(nil), nil
	}
	now, err := readFamilies(answer.Metrics)
	if err != nil {
		c.log.Debug("the metrics of the TURN process cannot be read", telemetry.Cause(err))
		return c.lastFamilies(nil), nil
	}
	return c.lastFamilies(now), nil
}

// lastFamilies returns the last metrics; now, if there are any, become those.
func (c *Client) lastFamilies(now families) families {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now != nil {
		c.families = now
	}
	return c.families
}

// readFamilies reads what metrics of a Server wrote, and keeps those with the right names.
func readFamilies(text []byte) (all families, err error) {
	dec := expfmt.NewDecoder(bytes.NewReader(text), metricsFormat)
	for {
		f := &dto.MetricFamily{}
		switch err := dec.Decode(f); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("read metrics: %w", err)
		case len(all) >= maxFamilies:
			return nil, fmt.Errorf("more than %d metrics", maxFamilies)
		}
		if strings.HasPrefix(f.GetName(), metricsPrefix) && !strings.HasPrefix(f.GetName(), ownPrefix) {
			all = append(all, f)
		}
	}
}
