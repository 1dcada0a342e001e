// Package deploy goes the operator's way with containers: it builds the images, runs the files of deploy/compose as they are on hosts of its own, and looks at the installation as
// a management server, an endpoint and a technician do.
//
// A host is a network namespace with a container engine in it, so that what needs the host's network has one, and nothing of it is seen on the machine.
package deploy
