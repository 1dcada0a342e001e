// Package networks holds remote sessions against networks: server, endpoint and technician each stand in a network of their own, with routers that translate addresses and block
// what offices and hotels block. A session comes up on the rung that is left, and comes back after a cut.
package networks
