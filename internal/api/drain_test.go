package api

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// drainer is a Drainer that remembers what it was asked.
type drainer struct {
	period   time.Duration
	now      Drain
	stopping bool
}

func (d *drainer) Drain(period time.Duration, reason string) (Drain, error) {
	if d.stopping {
		return Drain{}, ErrStopping
	}
	d.period, d.now = period, Drain{State: Draining, Reason: reason, Sessions: 3, Left: 2}
	return d.now, nil
}

func (d *drainer) Draining() Drain { return d.now }

func (d *drainer) Undo() (Drain, error) {
	if d.stopping {
		return Drain{}, ErrStopping
	}
	d.now = Drain{State: Serving, Left: 2}
	return d.now, nil
}

func TestDrain(t *testing.T) {
	w := newWorld(t, Default())
	got := w.do("POST", "/v1/drain", `{"period":60,"reason":"upgrade"}`).ok(http.StatusAccepted).json()
	if got["state"] != "draining" || got["left"] != 2.0 || got["reason"] != "upgrade" || w.drainer.period != time.Minute {
		t.Errorf("POST = %v, asked for %v", got, w.drainer.period)
	}
	if got := w.do("GET", "/v1/drain", "").ok(http.StatusOK).json(); got["state"] != "draining" {
		t.Errorf("GET = %v", got)
	}
	if got := w.do("DELETE", "/v1/drain", "").ok(http.StatusOK).json(); got["state"] != "serving" {
		t.Errorf("DELETE = %v", got)
	}
	w.do("POST", "/v1/drain", "").ok(http.StatusAccepted)
	if w.drainer.period != 0 {
		t.Errorf("without a body: period %v, want that of the configuration", w.drainer.period)
	}
	w.drainer.stopping = true
	w.do("DELETE", "/v1/drain", "").want(stopping)
	w.do("POST", "/v1/drain", "").want(stopping)
}

func TestDrainMistakes(t *testing.T) {
	w := newWorld(t, Default())
	for _, test := range []struct{ body, place string }{
		{`{"period":-1}`, "/period"},
		{`{"period":3601}`, "/period"},
		{`{"reason":"` + strings.Repeat("a", 201) + `"}`, "/reason"},
	} {
		w.do("POST", "/v1/drain", test.body).want(validationFailed, test.place)
	}
	if w.drainer.now.State != "" {
		t.Errorf("a drain began: %+v", w.drainer.now)
	}
}
