// Package house holds the rules of the house that can be executed: import direction, package docs, names, sleeps, documents that keep pace with the code.
package house
