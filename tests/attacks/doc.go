// Package attacks holds the server against the table of attacks in docs/SECURITY.md, row by row, and against the differential oracle: raw bytes in, one answer out.
package attacks
