// Package hostile attacks the real server, as its own process, and checks that an attack costs it only what the limits allow, that honest endpoints notice little,
// and that nothing is left behind.
package hostile
