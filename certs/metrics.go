package certs

import (
	"github.com/prometheus/client_golang/prometheus"
)

const (
	resultOK  = "ok"
	resultBad = "refused"
)

func newReloads() *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "signalbox_certs_reloads_total",
		Help: "Readings of the certificate files that found a change: ok, or refused if a file was refused or skipped.",
	}, []string{"result"})
	v.WithLabelValues(resultOK)
	v.WithLabelValues(resultBad)
	return v
}

func (r Report) result() string {
	if len(r.Bad()) > 0 {
		return resultBad
	}
	return resultOK
}

var (
	expiryDesc = prometheus.NewDesc("signalbox_certs_expiry_timestamp_seconds",
		"When the bundle in that file, leaf or intermediate, expires, in Unix time.", []string{"file"}, nil)
	badFilesDesc = prometheus.NewDesc("signalbox_certs_bad_files",
		"Certificate files that are refused or skipped at present.", nil, nil)
)

// collector reads the figures from the store when they are asked for, so that no file that is gone stays behind.
type collector struct{ s *Store }

func (c collector) Describe(ch chan<- *prometheus.Desc) {
	ch <- expiryDesc
	ch <- badFilesDesc
}

func (c collector) Collect(ch chan<- prometheus.Metric) {
	earliest := map[string]float64{} // two directories may have files of one name
	for _, b := range c.s.Bundles() {
		at := float64(b.NotAfter.Unix())
		if known, ok := earliest[b.File()]; !ok || at < known {
			earliest[b.File()] = at
		}
	}
	for file, at := range earliest {
		ch <- prometheus.MustNewConstMetric(expiryDesc, prometheus.GaugeValue, at, file)
	}
	ch <- prometheus.MustNewConstMetric(badFilesDesc, prometheus.GaugeValue, float64(len(c.s.Report().Bad())))
}
