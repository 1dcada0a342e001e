// Package why injects every failure that the server can see, with real clients against the real server, and holds its sentences about it against what was done.
package why
