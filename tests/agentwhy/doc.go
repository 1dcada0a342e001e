// Package agentwhy shows that an agent which cannot reach the real server says why: its status and its doctor name the step, the reason and what to do.
package agentwhy
