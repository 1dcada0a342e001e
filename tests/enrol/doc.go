// Package enrol tests how endpoints enrol and know their server: the real server and real agents over real TLS, with and without somebody on the way.
package enrol
