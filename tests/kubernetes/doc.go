// Package kubernetes renders the manifests of deploy/kubernetes, has the code of Kubernetes' own API server judge them, and holds them against the programs that they start.
package kubernetes
