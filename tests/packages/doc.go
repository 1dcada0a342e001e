// Package packages holds the Debian packages and systemd units against a real dpkg and a real systemd, in a machine of their own: the files of this one under an overlay, in namespaces of their own. Neither
// this machine's packages nor its services are touched.
package packages
