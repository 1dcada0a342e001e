// Package console holds tests of the console's pages in a real browser: every page in every look, sessions, files, and that the pages' policy (CSP) is kept.
package console
