// Package powercut cuts the power of the real server under load, on file systems of its own, and checks that nothing that was acknowledged is missing afterwards.
package powercut
