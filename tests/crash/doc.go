// Package crash kills the server and the agent, as their own processes, at random points under load, and checks that nothing acknowledged is lost or done twice.
package crash
