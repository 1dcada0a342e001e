// Package apidoc runs docs/API.md: every command of the page, in its order, against a real server with a real endpoint, and holds what it says against /openapi.json.
package apidoc
