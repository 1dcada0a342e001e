// Package control is what the server and the TURN process say to each other: the section turn of the configuration, sessions and their credentials, the
// messages on the control connection with both of its ends, the supervision of the child process, and the hand-over of TURN over TLS.
package control
