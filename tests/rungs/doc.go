// Package rungs has two peers find each other through the real TURN server, on each rung of the ladder.
package rungs
