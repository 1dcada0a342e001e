// Package smack has the XMPP library Smack judge the real server: its integration test framework logs in with accounts of its own and checks what RFCs and XEPs
// demand.
package smack
