package store

import (
	"fmt"

	"signalbox/internal/store/failure"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	commits       prometheus.Counter
	batch         prometheus.Histogram
	commitSeconds prometheus.Histogram
	errors        *prometheus.CounterVec
	droppedMarks  prometheus.Counter
	deletedRows   *prometheus.CounterVec
	missedEvents  prometheus.Counter
}

// newMetrics registers on reg; a nil reg keeps them private, for commands that run for a moment.
func newMetrics(reg prometheus.Registerer, q *queue) (*metrics, error) {
	m := &metrics{
		commits: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "signalbox_store_commits_total", Help: "Transactions that were committed."}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "signalbox_store_batch_operations", Help: "Operations that shared one transaction.", Buckets: prometheus.ExponentialBuckets(1, 2, 11)}),
		commitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "signalbox_store_commit_seconds", Help: "Time of one transaction, from its begin until it was durable.",
			Buckets: prometheus.ExponentialBuckets(0.00025, 2, 15)}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signalbox_store_errors_total", Help: "Transactions and operations that failed, by kind."}, []string{"kind"}),
		droppedMarks: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "signalbox_store_dropped_marks_total", Help: "Changes of state and presences that nobody waits for and that were dropped because too many waited."}),
		deletedRows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signalbox_store_deleted_rows_total", Help: "Rows deleted because their retention was over, by table."}, []string{"table"}),
	}
	m.missedEvents = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "signalbox_store_missed_events_total", Help: "Events deleted because store.outbox_unread was over though a webhook had not taken them."})
	for _, kind := range failure.Kinds {
		m.errors.WithLabelValues(kind)
	}
	for _, table := range retainedTables {
		m.deletedRows.WithLabelValues(table.name)
	}
	if reg == nil {
		return m, nil
	}
	length := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "signalbox_store_queue_operations", Help: "Operations that wait for the next transaction.",
	}, func() float64 {
		_, all := q.waiting()
		return float64(all)
	})
	for _, c := range []prometheus.Collector{m.commits, m.batch, m.commitSeconds, m.errors, m.droppedMarks, m.deletedRows, m.missedEvents, length} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics of the store: %w", err)
		}
	}
	return m, nil
}
