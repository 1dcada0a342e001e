package api

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// requestMetrics counts requests. Its labels come from lists that we wrote, never from the request.
type requestMetrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newRequestMetrics(reg prometheus.Registerer) (requestMetrics, error) {
	m := requestMetrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signalbox_api_requests_total", Help: "Answered requests by route, method and status.",
		}, []string{"route", "method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "signalbox_api_request_seconds", Help: "Time from the end of a request's header to the end of its answer, by route; not of streams.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"route"}),
	}
	if err := errors.Join(reg.Register(m.requests), reg.Register(m.seconds)); err != nil {
		return requestMetrics{}, fmt.Errorf("register the metrics of the API: %w", err)
	}
	return m, nil
}

func (m requestMetrics) count(route, method string, code int) {
	m.requests.WithLabelValues(routeLabel(route), knownMethod(method), strconv.Itoa(code)).Inc()
}

func (m requestMetrics) took(route string, took time.Duration) {
	m.seconds.WithLabelValues(routeLabel(route)).Observe(took.Seconds())
}

func routeLabel(route string) string {
	if route == "" {
		return "none"
	}
	return route
}

// knownMethod bounds what a caller can write into a label or a log.
func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}
