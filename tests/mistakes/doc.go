// Package mistakes holds what an operator can get wrong, each mistake made with real files against the installed program: it names every one in a sentence of its own that
// says what to do.
package mistakes
