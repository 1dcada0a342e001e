// Package turnsessions plays sessions on the real TURN server: what they relay, what is counted, who gets credentials, and what becomes of them at a stop.
package turnsessions
