// Package doctor shows that the real programs' doctors name what is wrong: each of the faults that is injected into a real installation, in a network of its own, has a sentence and a
// code of its own, and an installation without a fault has none.
package doctor
