// Package observe holds docs/METRICS.md, the alerts and the dashboards of deploy/ against the metrics of the running server, with the programs of Prometheus.
package observe
