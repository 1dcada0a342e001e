// Package notify tells the service manager how this program is, by the protocol of systemd (sd_notify(3)): that it is ready, reloads or stops, one line of status, and signs of life only
// while it truly lives.
package notify
