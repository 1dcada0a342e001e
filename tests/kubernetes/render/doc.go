// Package render has the manifests rendered by kustomize and judged by the code with which an API server of Kubernetes judges what is applied.
package render
