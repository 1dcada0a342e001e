// Package private says whether a file with a secret is kept from others.
package private
