// Package webhooks holds tests of the real server with receivers of events as they are: on HTTPS, slow, away, refusing, with certificates that are no good.
package webhooks
