package main

// Certificate authorities for machines that have none of their own, such as a container image that holds this program alone: receivers of events are verified by them there. A
// system's own authorities go before.
import _ "golang.org/x/crypto/x509roots/fallback"
